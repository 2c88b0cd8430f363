-- Is the majority of the samples better than the greedy text?
-- Over the probes of each run with both: how often they say the same, and which is right where
-- there is a gold option. A majority that refuses or gives no option is wrong, like such a text.
SELECT
    run_id,
    format,
    count(*) AS with_both,
    sum(NOT greedy_vs_samples)::BIGINT AS same,
    same / with_both AS share_same,
    count(gold) AS graded,
    sum(text_right)::BIGINT AS greedy_right,
    sum(majority IS NOT DISTINCT FROM gold) FILTER (gold IS NOT NULL)::BIGINT AS majority_right,
    sum(text_right AND majority IS DISTINCT FROM gold)::BIGINT AS only_greedy_right,
    sum(NOT text_right AND majority IS NOT DISTINCT FROM gold)::BIGINT AS only_majority_right
FROM outcomes
WHERE greedy_vs_samples IS NOT NULL
GROUP BY run_id, format
ORDER BY run_id, format
