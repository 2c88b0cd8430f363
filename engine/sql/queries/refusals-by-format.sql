-- How often does each format lead to a refusal?
-- Every text that was read stays in the denominator. The first token can refuse only where one
-- option is itself a refusal; otherwise nothing is recorded for it.
SELECT
    run_id,
    format,
    count(refusal) AS texts,
    count_if(refusal) AS refused,
    refused / nullif(texts, 0) AS share,
    count(first_refusal) AS with_refusal_option,
    CASE WHEN with_refusal_option > 0
        THEN count_if(first_refusal) END AS first_token_refused
FROM outcomes
GROUP BY run_id, format
ORDER BY run_id, format
