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
    CASE WHEN count(chat) > 0 THEN count_if(chat) END AS with_chat_template,
    CASE WHEN count(dropped_tokens) > 0 THEN count_if(dropped_tokens > 0) END AS cut_to_fit,
    count_if(len(warnings) > 0) AS with_warnings
FROM probes
GROUP BY run_id, format
ORDER BY run_id, format
