-- Does the model prefer a label, whatever stands behind it?
-- How often each label is named, by reading and option order, over the answers of the newest run
-- that name one. Beside it the share with which the label is the gold one.
SELECT
    format,
    reading,
    order_index,
    label,
    count(*) AS named,
    sum(named) OVER (PARTITION BY format, reading, order_index)::BIGINT AS all_named,
    named / all_named AS share,
    (
        SELECT sum(o.gold = a.label) / nullif(count(o.gold), 0)
        FROM outcomes o
        WHERE o.format = a.format
            AND o.order_index = a.order_index
            AND o.perturbation IS NULL
            AND o.run_id = (SELECT max(run_id) FROM runs WHERE kind IN ('run', 'import'))
    ) AS gold_share
FROM decided_answers a
WHERE reading IN ('first_token', 'greedy_text')
    AND label IS NOT NULL
    AND perturbation IS NULL
    AND run_id = (SELECT max(run_id) FROM runs WHERE kind IN ('run', 'import'))
GROUP BY format, reading, order_index, label
ORDER BY format, reading, order_index, label
