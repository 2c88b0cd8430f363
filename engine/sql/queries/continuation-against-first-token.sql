-- Where does the likeliest option text differ from the likeliest label?
-- Probes of the newest run that score otherwise as whole-option likelihoods than as first tokens,
-- with the probability of each among the options.
SELECT
    o.run_id,
    o.probe_id,
    o.question_index,
    o.format,
    o.order_index,
    o.question,
    o.first_token,
    o.first_probability,
    o.continuation,
    c.confidence AS continuation_probability,
    o.gold,
    o.text_label,
    o.question_id
FROM outcomes o
JOIN readings c ON c.probe_id = o.probe_id AND c.name = 'continuation'
WHERE o.first_token <> o.continuation
    AND o.run_id = (SELECT max(run_id) FROM runs WHERE kind IN ('run', 'import'))
ORDER BY o.question_index, o.format, o.order_index
