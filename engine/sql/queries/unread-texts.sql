-- Which texts could not be read?
-- Greedy texts of the newest run in which no rule finds an answer, the shortest first: what to
-- decide by hand, or to teach the ladder.
SELECT
    run_id,
    probe_id,
    question_index,
    format,
    order_index,
    question,
    gold,
    first_token,
    length(greedy_text) AS characters,
    greedy_text,
    question_id
FROM outcomes
WHERE unparsed
    AND run_id = (SELECT max(run_id) FROM runs WHERE kind IN ('run', 'import'))
ORDER BY characters, probe_id
