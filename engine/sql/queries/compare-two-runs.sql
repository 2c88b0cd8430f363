-- What changed between two runs, question by question?
-- The newest two runs: prompts of the same question, format and order whose text says another
-- option of the source, or ends otherwise. Put other numbers in the first lines for other runs.
WITH newest AS (
    SELECT (SELECT max(run_id) FROM runs WHERE kind IN ('run', 'import')) AS run_id
), before AS (
    SELECT max(run_id) AS run_id
    FROM runs
    WHERE kind IN ('run', 'import') AND run_id < (SELECT run_id FROM newest)
), said AS (
    SELECT
        run_id,
        probe_id,
        question_id,
        question_index,
        format,
        order_index,
        coalesce(source_label, status) AS says,
        correct
    FROM decided_answers
    WHERE reading = 'greedy_text' AND perturbation IS NULL
)
SELECT
    b.run_id,
    b.probe_id,
    b.question_index,
    b.format,
    b.order_index,
    q.text AS question,
    a.run_id AS first_run,
    a.says AS first_says,
    b.says AS second_says,
    a.correct AS first_right,
    b.correct AS second_right,
    b.question_id
FROM newest n
JOIN said b ON b.run_id = n.run_id
JOIN before f ON f.run_id < n.run_id
JOIN said a ON a.run_id = f.run_id
    AND b.question_id = a.question_id
    AND b.format = a.format
    AND b.order_index = a.order_index
JOIN questions q ON q.question_id = b.question_id
WHERE a.says <> b.says
ORDER BY b.question_index, b.format, b.order_index
