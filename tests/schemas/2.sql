-- Schema 2 as it was released: tables, outcomes and views. Never changed: a test makes an old
-- database of it and brings that up to date.

-- The store. Everything a published number needs, so that it can be recomputed by SQL without
-- running the model again. Times are UTC. Logprobs are natural logs in float32. NULL means
-- "not recorded", never zero. The comments are the documentation of the tables: engine/schema.py
-- copies the one before a table and the one after a column into the database (COMMENT ON).
-- The table outcomes and the views are made from engine/views.sql.

-- One row: what the file is.
CREATE TABLE meta (
    schema_version INTEGER NOT NULL,    -- see MIGRATIONS in engine/schema.py
    definitions    VARCHAR NOT NULL,    -- hash of the views and flags that outcomes was made with
    created_at     TIMESTAMP NOT NULL,
    created_by     VARCHAR NOT NULL     -- version of logitscope
);

-- One row a run: a model asked questions in some formats and option orders.
CREATE TABLE runs (
    run_id      INTEGER PRIMARY KEY,
    kind        VARCHAR NOT NULL,       -- run, rerun, edit (a prompt changed by hand), import
    name        VARCHAR NOT NULL,       -- what lists show
    model       VARCHAR NOT NULL,       -- folder or hub id
    source      VARCHAR NOT NULL,       -- the question file or hub dataset
    formats     VARCHAR[] NOT NULL,     -- names of the prompt formats
    orders      INTEGER NOT NULL,       -- option orders a question
    planned     INTEGER NOT NULL,       -- probes that the plan holds
    status      VARCHAR NOT NULL,       -- running, finished, cancelled, failed, interrupted
    fingerprint VARCHAR NOT NULL,       -- hash of plan and model: what --resume matches
    settings    JSON NOT NULL,          -- the whole plan: sampler, seed, formats, limit, ...
    model_info  JSON,                   -- engine.records.ModelInfo
    tokenizer   VARCHAR,                -- tokenizers.tokenizer
    parent_run  INTEGER,                -- the run that a rerun or edit comes from
    started_at  TIMESTAMP NOT NULL,
    finished_at TIMESTAMP,
    message     VARCHAR                 -- why it stopped, in one sentence
);

-- One row a question, its options in the order of the source.
CREATE TABLE questions (
    question_id VARCHAR PRIMARY KEY,    -- hash of dataset, subject, text, options and gold
    dataset     VARCHAR NOT NULL,
    subject     VARCHAR NOT NULL,
    text        VARCHAR NOT NULL,
    options     STRUCT("label" VARCHAR, "text" VARCHAR, ordinal DOUBLE)[] NOT NULL,
    gold        VARCHAR                 -- label in the source's order; NULL: has none (surveys)
);

-- One row a run, question, format and option order; numbered in the order they were stored.
CREATE TABLE probes (
    probe_id       INTEGER PRIMARY KEY,
    run_id         INTEGER NOT NULL,
    question_id    VARCHAR NOT NULL,
    question_index INTEGER NOT NULL,    -- place of the question in its source, from 0
    format         VARCHAR NOT NULL,
    order_index    INTEGER NOT NULL,    -- 0 is the order of the source
    permutation    INTEGER[] NOT NULL,  -- permutation[i] is the source index of shown option i
    labels         VARCHAR[] NOT NULL,  -- as shown
    gold           VARCHAR,             -- label of the gold option in this order
    refusal_label  VARCHAR,             -- label of the option that is itself a refusal
    prompt         VARCHAR NOT NULL,    -- whole, chat template and special tokens included
    prompt_ids     INTEGER[],           -- tokens as the model received them
    label_ids      INTEGER[],           -- token of each label in this context
    chat           BOOLEAN NOT NULL,    -- whether the chat template was used
    shots          INTEGER NOT NULL,    -- worked examples in the prompt
    dropped_tokens INTEGER NOT NULL,    -- cut from the left to fit the window
    warnings       STRUCT(code VARCHAR, message VARCHAR)[] NOT NULL,
    label_logprobs FLOAT[],             -- raw logprob of each label's token, in label order
    top_ids        INTEGER[],           -- first position: likeliest tokens, likeliest first
    top_logprobs   FLOAT[],             -- their raw logprobs
    entropy        FLOAT,               -- first position, whole vocabulary, nats
    logsumexp      FLOAT,               -- first position; a logprob plus this is the raw logit
    unseen         FLOAT,               -- first position: mass outside top_ids
    vocab_size     INTEGER,             -- length of the logits vector
    seconds        FLOAT,               -- the probe's share of its batch
    stored_at      TIMESTAMP NOT NULL
);

-- One row a probe, label and way to write the label as the first token.
CREATE TABLE spellings (
    probe_id INTEGER NOT NULL,
    label    VARCHAR NOT NULL,
    spelling VARCHAR NOT NULL,          -- such as 'A', ' A', '(A'
    token_id INTEGER NOT NULL,          -- first token of the spelling in this context
    whole    BOOLEAN NOT NULL,          -- whether that token is the whole spelling
    logprob  FLOAT NOT NULL             -- raw, first position
);

-- One row a probe and option, scored as a forced continuation of the prompt.
CREATE TABLE continuations (
    probe_id   INTEGER NOT NULL,
    label      VARCHAR NOT NULL,
    kind       VARCHAR NOT NULL,        -- label: the label alone; text: the option's text
    text       VARCHAR NOT NULL,        -- as appended to the prompt, delimiter included
    token_ids  INTEGER[] NOT NULL,      -- tokenised jointly with the prompt
    logprobs   FLOAT[] NOT NULL,        -- one a token
    logprob    DOUBLE NOT NULL,         -- their sum
    tokens     INTEGER NOT NULL,        -- their number
    characters INTEGER NOT NULL,        -- of the option's text or label, without the delimiter
    bytes      INTEGER NOT NULL,        -- the same in UTF-8
    is_greedy  BOOLEAN NOT NULL         -- every token is the likeliest at its position
);

-- One row a probe and text that the model wrote. Extra samples and branches were asked by hand
-- after the run; no reading or metric of the run counts them.
CREATE TABLE generations (
    probe_id      INTEGER NOT NULL,
    sample        INTEGER NOT NULL,     -- 0 is greedy, samples count from 1, branches from -1 down
    kind          VARCHAR NOT NULL,     -- greedy, sample; asked by hand later: extra, branch
    text          VARCHAR NOT NULL,     -- without the final stop token
    tokens        INTEGER,              -- the stop token included
    finish_reason VARCHAR,              -- stop, length, cancelled
    parent        INTEGER,              -- sample that a branch leaves
    fork          INTEGER,              -- position of the branch's first token of its own
    least_margin  FLOAT                 -- smallest margin of its positions, exact
);

-- One row a written token, with the distribution it was taken from. To keep the file small,
-- entropy, logsumexp, top_logprobs, sampler_logsumexp, sampler_cutoff and margin are rounded to
-- four decimals (a relative error of a probability below 0.01 %); everything else is exact.
CREATE TABLE positions (
    probe_id          INTEGER NOT NULL,
    sample            INTEGER NOT NULL, -- of the generation
    position          INTEGER NOT NULL, -- from 0
    token_id          INTEGER NOT NULL, -- the token written
    logprob           FLOAT NOT NULL,   -- its raw logprob
    rank              INTEGER NOT NULL, -- 1: the likeliest
    entropy           FLOAT NOT NULL,   -- whole vocabulary, nats
    logsumexp         FLOAT NOT NULL,   -- a logprob plus this is the raw logit
    unseen            FLOAT NOT NULL,   -- mass outside top_ids
    top_ids           INTEGER[] NOT NULL, -- likeliest tokens, likeliest first
    top_logprobs      FLOAT[] NOT NULL, -- their raw logprobs
    sampler_logprob   FLOAT,            -- logprob of the token after the sampler; NULL: greedy
    sampler_logsumexp FLOAT,            -- scaled logit minus this is the logprob after the sampler
    sampler_cutoff    FLOAT,            -- smallest scaled logit that the sampler kept
    margin            FLOAT             -- distance of the two largest raw logits, nats
);

-- What each token id of a tokenizer stands for; positions hold ids only.
CREATE TABLE tokens (
    tokenizer VARCHAR NOT NULL,         -- hash of the tokenizer, as in runs
    token_id  INTEGER NOT NULL,
    piece     VARCHAR,                  -- the tokenizer's name for it; NULL: it knows no such id
    text      VARCHAR,                  -- raw as text, bytes that are no UTF-8 as U+FFFD
    raw       BLOB NOT NULL,            -- the bytes it stands for
    special   BOOLEAN NOT NULL
);

-- One row a probe and way of reading it; samples have one each.
CREATE TABLE readings (
    probe_id   INTEGER NOT NULL,
    name       VARCHAR NOT NULL,        -- first_token, vocab_argmax, continuation, greedy_text, ...
    sample     INTEGER,                 -- generations.sample of sample_, extra_, branch_text
    status     VARCHAR NOT NULL,        -- option, several, none_of_these, refusal, dont_know, ...
    label      VARCHAR,                 -- the option, in the labels shown
    labels     VARCHAR[] NOT NULL,      -- where status is several
    confidence FLOAT,                   -- between 0 and 1
    margin     FLOAT,                   -- distance to the runner-up, same unit
    rule       VARCHAR NOT NULL,        -- what decided
    span_start INTEGER,                 -- what the rule matched, in characters of the text
    span_end   INTEGER,
    hedged     BOOLEAN NOT NULL         -- declines or doubts while endorsing an option
);

-- What a person decided the greedy text says; kept apart, never written over a reading.
CREATE TABLE overrides (
    probe_id INTEGER PRIMARY KEY,
    status   VARCHAR NOT NULL,
    label    VARCHAR,
    note     VARCHAR,
    made_at  TIMESTAMP NOT NULL
);

-- Probes that a person marked.
CREATE TABLE marks (
    probe_id INTEGER PRIMARY KEY,
    made_at  TIMESTAMP NOT NULL
);

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
        s.probe_id,
        max(s.logprob) FILTER (NOT list_contains(p.label_ids, s.token_id)) AS logprob
    FROM spellings s
    JOIN probes p ON p.probe_id = s.probe_id
    WHERE s.whole
    GROUP BY s.probe_id
), gathered AS (
    SELECT
        p.run_id,
        p.probe_id,
        p.question_id,
        p.question_index, -- place of the question in its source, from 0
        q.dataset,
        q.subject,
        q.text AS question,
        p.format,
        p.order_index, -- 0 is the order of the source
        p.gold, -- label of the gold option in this order
        p.refusal_label, -- label of the option that is itself a refusal
        s.first_token, -- label: argmax of the first token over the option labels
        s.first_probability, -- its probability restricted to the option labels
        s.margin, -- its distance to the runner-up, restricted to the option labels
        -- Labels that share a token share its mass.
        list_sum(list_transform(
            list_distinct(list_zip(
                coalesce(p.label_ids, range(len(p.label_logprobs))), p.label_logprobs
            )),
            lambda pair: exp(pair[2])
        ))::FLOAT AS option_mass, -- probability of the labels' tokens in the whole vocabulary
        p.entropy, -- of the first token, whole vocabulary, nats
        t.text AS vocab_token, -- text of the vocabulary's likeliest first token
        s.vocab_status, -- option where that token is a label, unparsed where not
        s.vocab_argmax, -- the label that it is
        s.continuation, -- label of the likeliest option text
        g.text AS greedy_text, -- what the model wrote
        CASE
            WHEN o.probe_id IS NULL THEN s.greedy_status ELSE o.status
        END AS text_status, -- what the greedy text says: option, refusal, several, ...
        CASE
            WHEN o.probe_id IS NULL THEN s.greedy_label ELSE o.label
        END AS text_label, -- the option it says
        CASE
            WHEN o.probe_id IS NOT NULL THEN 'override'
            WHEN s.greedy_status IS NOT NULL THEN 'reading'
        END AS text_source, -- reading, or override by a person
        list_max(p.label_logprobs) AS label_logprob, -- highest of the labels' tokens, first one
        x.logprob AS other_spelling_logprob, -- highest of other tokens that spell a whole label
        g.least_margin, -- smallest distance of two likeliest tokens in the greedy text, nats
        r.model_info->>'dtype' AS dtype, -- number format that the model computed in
        s.hedged, -- the greedy text declines or doubts while endorsing an option
        len(list_filter(
            p.label_logprobs, lambda x: x = list_max(p.label_logprobs)
        )) > 1 AS tied, -- two options share the highest first-token logprob exactly
        s.sample_count,
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
    LEFT JOIN tokens t ON t.tokenizer = r.tokenizer AND t.token_id = p.top_ids[1]
)
SELECT
    *,
    (CASE WHEN first_token IS NOT NULL AND text_status IS NOT NULL THEN first_token IS DISTINCT FROM text_label END)::BOOLEAN AS mismatch,
    (CASE WHEN vocab_status IS NOT NULL AND text_status IS NOT NULL THEN NOT coalesce(vocab_argmax = text_label, false) END)::BOOLEAN AS vocab_mismatch,
    (CASE WHEN vocab_status IS NOT NULL AND first_token IS NOT NULL AND text_status IS NOT NULL THEN vocab_argmax IS DISTINCT FROM text_label AND coalesce(first_token = text_label, false) END)::BOOLEAN AS same_but_not_first,
    (CASE WHEN text_status IS NOT NULL THEN text_status = 'refusal' OR coalesce(text_label = refusal_label, false) END)::BOOLEAN AS refusal,
    (CASE WHEN refusal_label IS NOT NULL THEN first_token = refusal_label END)::BOOLEAN AS first_refusal,
    (text_status = 'several')::BOOLEAN AS several,
    (text_status = 'unparsed')::BOOLEAN AS unparsed,
    (text_status IN ('none_of_these', 'dont_know'))::BOOLEAN AS no_option,
    (text_status = 'truncated')::BOOLEAN AS truncated,
    (CASE WHEN majority_status IS NOT NULL AND text_status IS NOT NULL THEN majority_status <> text_status OR majority IS DISTINCT FROM text_label END)::BOOLEAN AS greedy_vs_samples,
    (CASE WHEN vocab_status IS NOT NULL THEN vocab_argmax IS NULL END)::BOOLEAN AS off_option_top,
    (other_spelling_logprob > label_logprob)::BOOLEAN AS other_spelling,
    (tied)::BOOLEAN AS tie,
    (margin < 0.1)::BOOLEAN AS low_margin,
    (least_margin < CASE dtype WHEN 'float64' THEN 1e-09 WHEN 'float32' THEN 0.0001 WHEN 'float16' THEN 0.03 WHEN 'bfloat16' THEN 0.25 END)::BOOLEAN AS near_tie,
    (CASE WHEN gold IS NOT NULL AND text_status IS NOT NULL THEN text_label IS DISTINCT FROM gold END)::BOOLEAN AS wrong,
    CASE WHEN gold IS NOT NULL AND first_token IS NOT NULL
        THEN first_token = gold END AS first_token_right, -- NULL without a gold option
    CASE WHEN gold IS NOT NULL AND text_status IS NOT NULL
        THEN text_label IS NOT DISTINCT FROM gold END AS text_right -- NULL without a gold option
FROM gathered;

CREATE TABLE outcomes AS FROM outcome_rows WITH NO DATA;
ALTER TABLE outcomes ADD PRIMARY KEY (probe_id);

-- One row a probe, as lists show and filter it: outcomes and marks.
CREATE OR REPLACE VIEW listing AS
SELECT o.*, m.probe_id IS NOT NULL AS marked
FROM outcomes o
LEFT JOIN marks m ON m.probe_id = o.probe_id;

-- One row a probe and reading, with the option it names in the labels shown and in the source's.
CREATE OR REPLACE VIEW answers AS
SELECT
    p.run_id,
    p.probe_id,
    p.question_id,
    p.question_index,
    p.format,
    p.order_index,
    a.name AS reading,
    a.sample,
    a.status,
    a.label, -- in the labels shown
    p.permutation[list_position(p.labels, a.label)] AS option_index, -- in the source, from 0
    q.options[1 + p.permutation[list_position(p.labels, a.label)]].label AS source_label,
    q.options[1 + p.permutation[list_position(p.labels, a.label)]].text AS option_text,
    p.gold,
    CASE WHEN p.gold IS NOT NULL THEN a.label IS NOT DISTINCT FROM p.gold END AS correct,
    a.confidence,
    a.margin,
    a.rule,
    a.hedged
FROM readings a
JOIN probes p ON p.probe_id = a.probe_id
JOIN questions q ON q.question_id = p.question_id;

-- One row a position and kept token: what the model nearly wrote. Position 0 is the first token.
CREATE OR REPLACE VIEW top_tokens AS
SELECT
    p.run_id,
    k.probe_id,
    k.sample,
    k.position,
    k.rank, -- 1: the likeliest
    k.token_id,
    t.text,
    k.logprob, -- raw
    exp(k.logprob)::FLOAT AS probability,
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
    p.run_id,
    w.probe_id,
    w.sample,
    w.position,
    w.token_id,
    t.text,
    w.logprob,
    exp(w.logprob)::FLOAT AS probability,
    w.rank,
    w.entropy,
    w.unseen,
    w.sampler_logprob
FROM positions w
JOIN probes p ON p.probe_id = w.probe_id
JOIN runs r ON r.run_id = p.run_id
LEFT JOIN tokens t ON t.tokenizer = r.tokenizer AND t.token_id = w.token_id;
