-- How well does the answer ladder agree with human labels?
-- For released data that brings human labels: what people said, what the ladder reads, and how
-- often, with the share among all texts that people gave that label to.
SELECT
    o.run_id,
    h.status AS human_status,
    o.read_status AS ladder_status,
    count(*) AS texts,
    sum(h.label IS NOT DISTINCT FROM o.read_label)::BIGINT AS same_option,
    texts / sum(texts) OVER (PARTITION BY o.run_id, h.status) AS share
FROM human_labels h
JOIN outcomes o ON o.probe_id = h.probe_id
GROUP BY o.run_id, h.status, o.read_status
ORDER BY o.run_id, h.status, texts DESC, o.read_status
