-- Which subjects does the model know?
-- Accuracy of first token and text in the newest run, with what each is counted over; the hardest
-- subjects first.
SELECT
    run_id,
    format,
    subject,
    count(first_token_right) AS first_token_read,
    sum(first_token_right) / nullif(first_token_read, 0) AS first_token_accuracy,
    count(text_right) AS text_read,
    sum(text_right) / nullif(text_read, 0) AS text_accuracy
FROM outcomes
WHERE gold IS NOT NULL
    AND run_id = (SELECT max(run_id) FROM runs WHERE kind IN ('run', 'import'))
GROUP BY run_id, format, subject
ORDER BY format, text_accuracy NULLS LAST, subject
