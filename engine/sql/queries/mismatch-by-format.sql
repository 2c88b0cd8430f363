-- Where do first token and text disagree, format by format?
-- M, F and S of arXiv:2402.14499 with what each is counted over. Refused, several, unparsed and
-- truncated texts stay in the denominator: none of them says what the first token says.
SELECT
    run_id,
    format,
    count(*) AS probes,
    count(mismatch) AS with_both,
    CASE WHEN with_both > 0 THEN count_if(mismatch) END AS mismatches,
    mismatches / nullif(with_both, 0) AS share,
    CASE WHEN count(vocab_mismatch) > 0 THEN count_if(vocab_mismatch) END AS vocab_mismatches,
    CASE WHEN count(same_but_not_first) > 0
        THEN count_if(same_but_not_first) END AS same_but_not_first,
    count_if(mismatch AND text_status = 'option') AS another_option,
    count_if(mismatch AND text_status <> 'option') AS no_option
FROM outcomes
GROUP BY run_id, format
ORDER BY run_id, format
