-- How accurate is each way of reading, format by format?
-- Refused and unread texts are wrong, so every question with a gold option that was read at all
-- is in a denominator; it stands beside each accuracy.
SELECT
    run_id,
    format,
    count(*) AS probes,
    count(gold) AS with_gold,
    count(first_token_right) AS first_token_read,
    count_if(first_token_right) AS first_token_right,
    count_if(first_token_right) / nullif(first_token_read, 0) AS first_token_accuracy,
    count(text_right) AS text_read,
    count_if(text_right) AS text_right,
    count_if(text_right) / nullif(text_read, 0) AS text_accuracy,
    count(continuation) FILTER (gold IS NOT NULL) AS continuation_read,
    count_if(continuation = gold) AS continuation_right,
    count_if(continuation = gold) / nullif(continuation_read, 0) AS continuation_accuracy
FROM outcomes
GROUP BY run_id, format
ORDER BY run_id, format
