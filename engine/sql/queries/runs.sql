-- Which runs are there, and how far did they get?
-- Every run with what it asked, how many of its planned probes are stored, and how long it took.
SELECT
    r.run_id,
    r.kind,
    r.name,
    r.model,
    r.status,
    r.planned,
    count(p.probe_id) AS stored,
    count(DISTINCT p.question_id) AS questions,
    r.formats,
    r.orders,
    r.source,
    r.started_at,
    epoch(r.finished_at - r.started_at) AS seconds,
    r.message
FROM runs r
LEFT JOIN probes p ON p.run_id = r.run_id
GROUP BY ALL
ORDER BY r.run_id DESC
