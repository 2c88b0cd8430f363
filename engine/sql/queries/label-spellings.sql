-- Which spelling of the labels carries the probability?
-- Mean probability of the first token over the newest run, all labels of a question together, for
-- each way to write them; X stands for the label, x for it in small letters. Tokens that stand
-- for several labels count once; spellings that are no whole token are left out.
WITH spelled AS (
    SELECT DISTINCT
        p.probe_id,
        p.format,
        CASE
            WHEN contains(s.spelling, s.label) THEN replace(s.spelling, s.label, 'X')
            ELSE replace(s.spelling, lower(s.label), 'x')
        END AS form,
        s.token_id,
        exp(s.logprob::DOUBLE) AS probability
    FROM spellings s
    JOIN probes p ON p.probe_id = s.probe_id
    WHERE s.whole
        AND p.run_id = (SELECT max(run_id) FROM runs WHERE kind IN ('run', 'import'))
), masses AS (
    SELECT probe_id, format, form, sum(probability) AS mass
    FROM spelled
    GROUP BY probe_id, format, form
)
SELECT
    format,
    form,
    count(*) AS probes,
    avg(mass) AS mean_mass,
    median(mass) AS median_mass,
    max(mass) AS largest_mass
FROM masses
GROUP BY format, form
ORDER BY format, mean_mass DESC, form
