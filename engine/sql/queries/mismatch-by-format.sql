-- Where do first token and text disagree, format by format?
-- M, F and S of arXiv:2402.14499 with what each is counted over. Refused, several, unparsed and
-- truncated texts stay in the denominator: none of them says what the first token says.
SELECT
    run_id,
    format,
    count(*) AS probes,
    count(mismatch) AS with_both,
    sum(mismatch)::BIGINT AS mismatches,
    mismatches / nullif(with_both, 0) AS share,
    sum(vocab_mismatch)::BIGINT AS vocab_mismatches,
    sum(same_but_not_first)::BIGINT AS same_but_not_first,
    sum(mismatch AND text_status = 'option')::BIGINT AS another_option,
    sum(mismatch AND text_status <> 'option')::BIGINT AS no_option
FROM outcomes
GROUP BY run_id, format
ORDER BY run_id, format
