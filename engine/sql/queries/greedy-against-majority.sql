-- Is the majority of the samples better than the greedy text?
-- Over the probes of each run with both: how often they say the same, and which is right where
-- there is a gold option.
SELECT
    run_id,
    format,
    count(greedy_vs_samples) AS with_both,
    count_if(NOT greedy_vs_samples) AS same,
    same / nullif(with_both, 0) AS share_same,
    count(*) FILTER (gold IS NOT NULL AND greedy_vs_samples IS NOT NULL) AS graded,
    count_if(text_right AND greedy_vs_samples IS NOT NULL) AS greedy_right,
    count_if(majority = gold AND greedy_vs_samples IS NOT NULL) AS majority_right,
    count_if(text_right AND majority IS DISTINCT FROM gold
        AND greedy_vs_samples IS NOT NULL) AS only_greedy_right,
    count_if(NOT text_right AND majority = gold) AS only_majority_right
FROM outcomes
GROUP BY run_id, format
ORDER BY run_id, format
