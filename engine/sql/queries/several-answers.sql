-- Which texts give several answers?
-- Greedy texts of the newest run that endorse more than one option, with the options that the
-- answer ladder found and whether the gold one is among them.
SELECT
    o.run_id,
    o.probe_id,
    o.question_index,
    o.format,
    o.order_index,
    o.question,
    r.labels,
    o.gold,
    list_contains(r.labels, o.gold) AS gold_among_them,
    r.rule,
    o.text_source,
    o.greedy_text,
    o.question_id
FROM outcomes o
LEFT JOIN readings r ON r.probe_id = o.probe_id
    AND r.name = 'greedy_text'
    AND r.status = 'several'
WHERE o.several
    AND o.run_id = (SELECT max(run_id) FROM runs WHERE kind IN ('run', 'import'))
ORDER BY o.probe_id
