-- How accurate is each way of reading, format by format?
-- Refused and unread texts are wrong, so every question with a gold option that was read at all
-- is in a denominator; it stands beside each accuracy.
SELECT
    run_id,
    format,
    count(*) AS probes,
    count(gold) AS with_gold,
    count(first_token_right) AS first_token_read,
    sum(first_token_right)::BIGINT AS first_token_right,
    sum(first_token_right) / nullif(first_token_read, 0) AS first_token_accuracy,
    count(text_right) AS text_read,
    sum(text_right)::BIGINT AS text_right,
    sum(text_right) / nullif(text_read, 0) AS text_accuracy,
    count(continuation) FILTER (gold IS NOT NULL) AS continuation_read,
    sum(continuation = gold)::BIGINT AS continuation_right,
    sum(continuation = gold) / nullif(continuation_read, 0) AS continuation_accuracy
FROM outcomes
GROUP BY run_id, format
ORDER BY run_id, format
