-- What did each point of a sweep change?
-- Accuracy, mismatch and option mass at every point of every stored sweep, with the counts behind
-- them; perturbed questions are left out, as in the study.
WITH point AS (
    SELECT
        run_id,
        settings->>'$.sweep.axis' AS axis,
        generate_subscripts(settings->'$.sweep.points[*]', 1) AS place,
        unnest(settings->'$.sweep.points[*]') AS described,
        settings
    FROM runs
    WHERE kind = 'run' AND json_exists(settings, '$.sweep')
), wanted AS (
    SELECT
        run_id,
        axis,
        place,
        described->>'$.label' AS label,
        described->>'$.format' AS format,
        (described->>'$.order')::INTEGER AS order_index,
        described->>'$.setting[0]' AS setting,
        (described->>'$.setting[1]')::DOUBLE AS value,
        json_extract_string(settings, '$.settings.sampler.' || setting)::DOUBLE AS run_value
    FROM point
)
SELECT
    w.run_id,
    w.axis,
    w.place,
    w.label AS point,
    w.format,
    count(*) AS probes,
    count(o.first_token_right) AS first_token_graded,
    sum(o.first_token_right) / nullif(first_token_graded, 0) AS first_token_accuracy,
    count(o.text_right) AS text_graded,
    sum(o.text_right) / nullif(text_graded, 0) AS text_accuracy,
    count(o.mismatch) AS with_both,
    sum(o.mismatch) / nullif(with_both, 0) AS mismatch,
    sum(o.refusal)::BIGINT AS refused,
    avg(o.option_mass) AS mean_option_mass,
    avg(o.entropy) AS mean_entropy
FROM wanted w
JOIN outcomes o ON o.run_id = w.run_id
    AND o.format = w.format
    AND o.order_index = coalesce(w.order_index, o.order_index)
    AND o.perturbation IS NULL
WHERE w.setting IS NULL OR w.value = w.run_value
GROUP BY w.run_id, w.axis, w.place, w.label, w.format
ORDER BY w.run_id, w.place, w.format
