-- Where is the first token sure and wrong?
-- Wrong first tokens of the newest run with at least 0.9 of the probability among the options, the
-- surest first; whether the text says the same stands beside.
SELECT
    run_id,
    probe_id,
    question_index,
    format,
    order_index,
    question,
    first_token,
    first_probability,
    option_mass,
    gold,
    text_label,
    text_right,
    question_id
FROM outcomes
WHERE first_probability >= 0.9
    AND NOT first_token_right
    AND run_id = (SELECT max(run_id) FROM runs WHERE kind IN ('run', 'import'))
ORDER BY first_probability DESC, probe_id
