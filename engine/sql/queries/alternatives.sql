-- What did each token of one answer nearly say?
-- The five likeliest tokens at every position of the greedy text of one probe; put its number in
-- the place of the first one's.
SELECT
    k.run_id,
    k.probe_id,
    k.position,
    k.rank,
    k.text AS token,
    k.probability,
    k.written,
    p.question_id
FROM top_tokens k
JOIN probes p ON p.probe_id = k.probe_id
WHERE k.sample = 0
    AND k.rank <= 5
    AND k.probe_id = (SELECT min(probe_id) FROM probes)
ORDER BY k.position, k.rank
