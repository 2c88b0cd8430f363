-- Where does the first token hardly want to be an option label?
-- Probes of the newest run whose labels together have less than half of the probability; what the
-- first token rather wants to be stands beside. Scores over labels say little there.
SELECT
    run_id,
    probe_id,
    question_index,
    format,
    order_index,
    question,
    option_mass,
    vocab_token,
    first_token,
    first_probability,
    text_status,
    text_label,
    question_id
FROM outcomes
WHERE option_mass < 0.5
    AND run_id = (SELECT max(run_id) FROM runs WHERE kind IN ('run', 'import'))
ORDER BY option_mass, probe_id
