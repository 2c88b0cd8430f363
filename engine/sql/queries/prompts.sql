-- What do the prompts of each format look like?
-- Tokens of the prompts, worked examples, chat template, and how many were cut to fit the window.
-- NULL is not recorded.
SELECT
    run_id,
    format,
    count(*) AS prompts,
    count(prompt_ids) AS with_tokens,
    avg(len(prompt_ids)) AS mean_tokens,
    max(len(prompt_ids)) AS most_tokens,
    min(shots) AS fewest_shots,
    max(shots) AS most_shots,
    sum(chat)::BIGINT AS with_chat_template,
    sum(dropped_tokens > 0)::BIGINT AS cut_to_fit,
    sum(len(warnings) > 0)::BIGINT AS with_warnings
FROM probes
GROUP BY run_id, format
ORDER BY run_id, format
