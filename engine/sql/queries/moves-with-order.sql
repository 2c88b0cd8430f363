-- Whose answer moves when the options are put in another order?
-- Questions of the newest run that were asked in several orders and got different options of the
-- source for an answer, by first token and by text. Texts without an option are counted apart.
SELECT
    run_id,
    min(probe_id) AS probe_id,
    question_index,
    format,
    reading,
    count(*) AS orders,
    count(option_index) AS named,
    count(DISTINCT option_index) AS different_options,
    list(coalesce(option_text, status) ORDER BY order_index) AS says,
    question_id
FROM decided_answers
WHERE reading IN ('first_token', 'greedy_text')
    AND perturbation IS NULL
    AND run_id = (SELECT max(run_id) FROM runs WHERE kind IN ('run', 'import'))
GROUP BY run_id, question_index, format, reading, question_id
HAVING different_options > 1
ORDER BY different_options DESC, question_index, format, reading
