-- What would the first token have answered where the text refuses?
-- Refusing texts of the newest run that the first token names an option for, the surest first:
-- a score over option labels would count these as answers.
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
    first_token_right,
    greedy_text,
    question_id
FROM outcomes
WHERE refusal AND first_token IS NOT NULL AND first_token IS DISTINCT FROM refusal_label
    AND run_id = (SELECT max(run_id) FROM runs WHERE kind IN ('run', 'import'))
ORDER BY first_probability DESC NULLS LAST, probe_id
