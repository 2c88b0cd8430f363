-- Which questions does the model refuse to answer?
-- Texts of the newest run that refuse or pick the option that is itself a refusal, and the rule
-- that found it. A person's decision wins over the rule.
SELECT
    o.run_id,
    o.probe_id,
    o.question_index,
    o.format,
    o.order_index,
    o.subject,
    o.question,
    o.text_status,
    o.text_source,
    r.rule,
    o.greedy_text,
    o.question_id
FROM outcomes o
LEFT JOIN readings r ON r.probe_id = o.probe_id AND r.name = 'greedy_text'
WHERE o.refusal AND o.run_id = (SELECT max(run_id) FROM runs WHERE kind IN ('run', 'import'))
ORDER BY o.question_index, o.format, o.order_index
