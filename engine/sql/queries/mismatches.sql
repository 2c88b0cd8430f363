-- Which questions does the first token answer otherwise than the text?
-- Mismatches of the newest run in which the text names another option, the surest first tokens
-- first.
SELECT
    run_id,
    probe_id,
    question_index,
    format,
    order_index,
    question,
    first_token,
    first_probability,
    text_label,
    gold,
    vocab_token,
    greedy_text,
    question_id
FROM outcomes
WHERE mismatch AND text_status = 'option'
    AND run_id = (SELECT max(run_id) FROM runs WHERE kind IN ('run', 'import'))
ORDER BY first_probability DESC NULLS LAST, probe_id
