-- Which questions does the model get wrong in every format?
-- Questions of the newest run with a gold option whose text was never right, whatever the format
-- and order. Open one to see its first probe.
SELECT
    o.run_id,
    min(o.probe_id) AS probe_id,
    o.question_index,
    any_value(o.subject) AS subject,
    any_value(o.question) AS question,
    count(DISTINCT o.format) FILTER (o.text_right IS NOT NULL) AS formats,
    count(o.text_right) AS texts,
    sum(o.first_token_right)::BIGINT AS first_token_right,
    list(DISTINCT o.text_status ORDER BY o.text_status) AS texts_say,
    any_value(q.gold) AS gold_in_source,
    any_value(list_filter(q.options, lambda x: x.label = q.gold)[1].text) AS gold_text,
    o.question_id
FROM outcomes o
JOIN questions q ON q.question_id = o.question_id
WHERE o.run_id = (SELECT max(run_id) FROM runs WHERE kind IN ('run', 'import'))
GROUP BY o.run_id, o.question_index, o.question_id
HAVING NOT bool_or(o.text_right)
ORDER BY o.question_index
