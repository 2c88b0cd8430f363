-- How often does each format lead to a refusal?
-- Every text that was read stays in the denominator. The first token can refuse only where one
-- option is itself a refusal; otherwise nothing is recorded for it.
SELECT
    run_id,
    format,
    count(refusal) AS texts,
    sum(refusal)::BIGINT AS refused,
    refused / nullif(texts, 0) AS share,
    count(first_refusal) AS with_refusal_option,
    sum(first_refusal)::BIGINT AS first_token_refused
FROM outcomes
GROUP BY run_id, format
ORDER BY run_id, format
