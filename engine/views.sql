-- What is derived from the tables of engine/schema.sql, each thing defined once. outcome_rows is
-- the definition of the table outcomes, which is filled from it in the transaction that stores a
-- probe, so that lists of a million probes need no join. The placeholder for flags stands for the
-- expressions of engine.flags.FLAGS, one column a flag.

-- One row a probe: what each reading says and which flags are up.
CREATE OR REPLACE VIEW outcome_rows AS
WITH said AS (
    SELECT
        probe_id,
        any_value(label) FILTER (name = 'first_token') AS first_token,
        any_value(confidence) FILTER (name = 'first_token') AS first_probability,
        any_value(margin) FILTER (name = 'first_token') AS margin,
        any_value(status) FILTER (name = 'vocab_argmax') AS vocab_status,
        any_value(label) FILTER (name = 'vocab_argmax') AS vocab_argmax,
        any_value(label) FILTER (name = 'continuation') AS continuation,
        any_value(status) FILTER (name = 'greedy_text') AS greedy_status,
        any_value(label) FILTER (name = 'greedy_text') AS greedy_label,
        any_value(hedged) FILTER (name = 'greedy_text') AS hedged,
        any_value(status) FILTER (name = 'majority') AS majority_status,
        any_value(label) FILTER (name = 'majority') AS majority,
        any_value(confidence) FILTER (name = 'majority') AS sample_agreement,
        nullif(count(*) FILTER (name = 'sample_text'), 0)::INTEGER AS sample_count
    FROM readings
    GROUP BY probe_id
), spelled AS (
    SELECT
        s.probe_id, -- the probe
        max(s.logprob) FILTER (NOT list_contains(p.label_ids, s.token_id)) AS logprob
    FROM spellings s
    JOIN probes p ON p.probe_id = s.probe_id
    WHERE s.whole
    GROUP BY s.probe_id
), scored AS (
    SELECT probe_id, arg_min(value, rowid) AS value FROM scores GROUP BY probe_id
), gathered AS (
    SELECT
        p.run_id, -- the run
        p.probe_id, -- the probe
        p.question_id, -- what was asked
        p.question_index, -- place of the question in its source, from 0
        q.dataset, -- the source's name
        q.subject, -- empty where it has none
        q.text AS question, -- its text, as in the source
        p.format, -- name of the prompt format
        p.order_index, -- 0 is the order of the source
        p.perturbation, -- how the question was changed; NULL: its order at most
        p.gold, -- label of the gold option in this order
        p.refusal_label, -- label of the option that is itself a refusal
        s.first_token, -- label: argmax of the first token over the option labels
        s.first_probability, -- its probability restricted to the option labels
        s.margin, -- its distance to the runner-up, restricted to the option labels
        -- Labels that share a token share its mass.
        CASE WHEN NOT list_contains(list_transform(p.label_logprobs, lambda x: x IS NULL), true)
        THEN list_sum(list_transform(
            list_distinct(list_zip(
                coalesce(p.label_ids, range(len(p.label_logprobs))), p.label_logprobs
            )),
            lambda pair: exp(pair[2])
        )) END::FLOAT AS option_mass, -- probability of the labels' tokens in the whole vocabulary
        p.entropy, -- of the first token, whole vocabulary, nats
        t.text AS vocab_token, -- text of the vocabulary's likeliest first token
        s.vocab_status, -- option where that token is a label, unparsed where not
        s.vocab_argmax, -- the label that it is
        s.continuation, -- label of the likeliest option text
        g.text AS greedy_text, -- what the model wrote
        CASE
            WHEN o.probe_id IS NOT NULL THEN o.status
            WHEN h.probe_id IS NOT NULL THEN h.status
            ELSE s.greedy_status
        END AS text_status, -- what the greedy text says: option, refusal, several, ...
        CASE
            WHEN o.probe_id IS NOT NULL THEN o.label
            WHEN h.probe_id IS NOT NULL THEN h.label
            ELSE s.greedy_label
        END AS text_label, -- the option it says
        CASE
            WHEN o.probe_id IS NOT NULL THEN 'override'
            WHEN h.probe_id IS NOT NULL THEN 'human label'
            WHEN s.greedy_status IS NOT NULL THEN 'reading'
        END AS text_source, -- who says so: the reading, a released human label, or an override
        s.greedy_status AS read_status, -- what the answer ladder reads in it, whoever wins
        s.greedy_label AS read_label, -- the option it reads
        c.value AS log_score, -- first of the scores that an imported log gives
        list_max(p.label_logprobs) AS label_logprob, -- highest of the labels' tokens, first one
        x.logprob AS other_spelling_logprob, -- highest of other tokens that spell a whole label
        g.least_margin, -- smallest distance of two likeliest tokens in the greedy text, nats
        r.model_info->>'dtype' AS dtype, -- number format that the model computed in
        s.hedged, -- the greedy text declines or doubts while endorsing an option
        len(list_filter(
            coalesce(p.label_logprobs, p.label_logits),
            lambda x: x = list_max(coalesce(p.label_logprobs, p.label_logits))
        )) > 1 AS tied, -- two options share the highest first-token logprob exactly
        s.sample_count, -- how many samples were drawn; NULL: none
        s.majority, -- label that most samples say; NULL where that is no option
        s.majority_status, -- what most samples do
        s.sample_agreement -- share of the samples that agree with the majority
    FROM probes p
    JOIN runs r ON r.run_id = p.run_id
    JOIN questions q ON q.question_id = p.question_id
    LEFT JOIN said s ON s.probe_id = p.probe_id
    LEFT JOIN spelled x ON x.probe_id = p.probe_id
    LEFT JOIN generations g ON g.probe_id = p.probe_id AND g.sample = 0
    LEFT JOIN overrides o ON o.probe_id = p.probe_id
    LEFT JOIN human_labels h ON h.probe_id = p.probe_id
    LEFT JOIN scored c ON c.probe_id = p.probe_id
    LEFT JOIN tokens t ON t.tokenizer = r.tokenizer AND t.token_id = p.top_ids[1]
)
SELECT
    *,
    $flags,
    CASE WHEN gold IS NOT NULL AND first_token IS NOT NULL
        THEN first_token = gold END AS first_token_right, -- NULL without a gold option
    CASE WHEN gold IS NOT NULL AND text_status IS NOT NULL
        THEN text_label IS NOT DISTINCT FROM gold END AS text_right -- NULL without a gold option
FROM gathered;

-- One row a probe, as lists show and filter it: outcomes and marks.
CREATE OR REPLACE VIEW listing AS
SELECT
    o.*,
    o.question_index + 1 AS question_number, -- as the explorer counts, from 1
    m.probe_id IS NOT NULL AS marked -- whether a person marked it
FROM outcomes o
LEFT JOIN marks m ON m.probe_id = o.probe_id;

-- One row a probe and reading, with the option it names in the labels shown and in the source's.
CREATE OR REPLACE VIEW answers AS
SELECT
    p.run_id, -- the run
    p.probe_id, -- the probe
    p.question_id, -- what was asked
    p.question_index, -- place of the question in its source, from 0
    q.subject, -- of the question
    p.format, -- name of the prompt format
    p.order_index, -- 0 is the order of the source
    p.perturbation, -- how the question was changed; NULL: its order at most
    a.name AS reading, -- which way of reading; see docs/readings.md
    a.sample, -- of the generation; 0 is greedy
    a.status, -- option, several, refusal, ...
    a.label, -- in the labels shown
    p.permutation[list_position(p.labels, a.label)] AS option_index, -- in the source, from 0
    q.options[1 + p.permutation[list_position(p.labels, a.label)]].label AS source_label, -- the option's label in the source
    coalesce(
        p.shown_options[list_position(p.labels, a.label)],
        q.options[1 + p.permutation[list_position(p.labels, a.label)]].text
    ) AS option_text, -- as it was shown
    p.gold, -- label of the gold option in this order
    CASE WHEN p.gold IS NOT NULL THEN a.label IS NOT DISTINCT FROM p.gold END AS correct, -- NULL without a gold option
    a.confidence, -- between 0 and 1
    a.margin, -- distance to the runner-up, same unit
    a.rule, -- what decided
    a.hedged, -- declines or doubts while endorsing an option
    a.position, -- number of the written token that was read, from 0
    a.logit -- highest raw logit at that position
FROM readings a
JOIN probes p ON p.probe_id = a.probe_id
JOIN questions q ON q.question_id = p.question_id;

-- As answers, with what people decided the greedy text says in the place of what the ladder reads.
CREATE OR REPLACE VIEW decided_answers AS
SELECT * FROM answers WHERE reading <> 'greedy_text'
UNION ALL BY NAME
SELECT
    o.run_id,
    o.probe_id,
    o.question_id,
    o.question_index,
    o.subject,
    o.format,
    o.order_index,
    o.perturbation,
    'greedy_text' AS reading,
    o.text_status AS status,
    o.text_label AS label,
    p.permutation[list_position(p.labels, o.text_label)] AS option_index,
    q.options[1 + p.permutation[list_position(p.labels, o.text_label)]].label AS source_label,
    coalesce(
        p.shown_options[list_position(p.labels, o.text_label)],
        q.options[1 + p.permutation[list_position(p.labels, o.text_label)]].text
    ) AS option_text,
    o.gold,
    o.text_right AS correct,
    o.text_source AS rule,
    o.hedged
FROM outcomes o
JOIN probes p ON p.probe_id = o.probe_id
JOIN questions q ON q.question_id = o.question_id
WHERE o.text_status IS NOT NULL;

-- One row a position and kept token: what the model nearly wrote. Position 0 is the first token.
CREATE OR REPLACE VIEW top_tokens AS
SELECT
    p.run_id, -- the run
    k.probe_id, -- the probe
    k.sample, -- of the generation; 0 is greedy
    k.position, -- from 0
    k.rank, -- 1: the likeliest
    k.token_id, -- the tokenizer's number for it
    t.text, -- of the token, raw
    k.logprob, -- raw
    exp(k.logprob)::FLOAT AS probability, -- raw
    k.token_id = k.written AS written -- whether the model wrote it
FROM (
    SELECT
        probe_id,
        sample,
        position,
        token_id AS written,
        unnest(top_ids) AS token_id,
        unnest(top_logprobs) AS logprob,
        generate_subscripts(top_ids, 1)::INTEGER AS rank
    FROM positions
) k
JOIN probes p ON p.probe_id = k.probe_id
JOIN runs r ON r.run_id = p.run_id
LEFT JOIN tokens t ON t.tokenizer = r.tokenizer AND t.token_id = k.token_id;

-- One row a written token with its text.
CREATE OR REPLACE VIEW written_tokens AS
SELECT
    p.run_id, -- the run
    w.probe_id, -- the probe
    w.sample, -- of the generation; 0 is greedy
    w.position, -- from 0
    w.token_id, -- the tokenizer's number for it
    t.text, -- of the token, raw
    w.logprob, -- raw
    exp(w.logprob)::FLOAT AS probability, -- raw
    w.rank, -- 1: the likeliest
    w.entropy, -- whole vocabulary, nats
    w.unseen, -- mass outside the kept tokens
    w.sampler_logprob -- after the sampler; NULL: greedy
FROM positions w
JOIN probes p ON p.probe_id = w.probe_id
JOIN runs r ON r.run_id = p.run_id
LEFT JOIN tokens t ON t.tokenizer = r.tokenizer AND t.token_id = w.token_id;
