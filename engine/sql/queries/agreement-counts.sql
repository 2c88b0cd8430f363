-- On how many questions do two readings agree?
-- Every pair of readings of the newest run, format by format: probes with both, those on which they
-- say the same, and those on which only one of them is right.
WITH said AS (
    SELECT probe_id, format, reading, coalesce(label, status) AS says, correct
    FROM decided_answers
    WHERE sample IS NULL
        AND run_id = (SELECT max(run_id) FROM runs WHERE kind IN ('run', 'import'))
)
SELECT
    a.format,
    a.reading AS one,
    b.reading AS other,
    count(*) AS both_read,
    sum(a.says = b.says)::BIGINT AS agree,
    agree / both_read AS share,
    sum(a.correct AND NOT b.correct)::BIGINT AS only_one_right,
    sum(b.correct AND NOT a.correct)::BIGINT AS only_other_right
FROM said a
JOIN said b ON b.probe_id = a.probe_id AND b.reading > a.reading
GROUP BY a.format, a.reading, b.reading
ORDER BY a.format, share, one, other
