-- The store. Everything a published number needs, so that it can be recomputed by SQL without
-- running the model again. Times are UTC. Logprobs are natural logs in float32. NULL means
-- "not recorded", never zero: imported logs leave much out. The comments are the documentation of the tables: engine/schema.py
-- copies the one before a table and the one after a column into the database (COMMENT ON).
-- The table outcomes and the views are made from engine/views.sql.

-- One row: what the file is.
CREATE TABLE meta (
    schema_version INTEGER NOT NULL,    -- see MIGRATIONS in engine/schema.py
    definitions    VARCHAR NOT NULL,    -- hash of the views and flags that outcomes was made with
    created_at     TIMESTAMP NOT NULL,  -- UTC
    created_by     VARCHAR NOT NULL     -- version of logitscope
);

-- One row a run: a model asked questions in some formats and option orders.
CREATE TABLE runs (
    run_id      INTEGER PRIMARY KEY,    -- counts from 1
    kind        VARCHAR NOT NULL,       -- run, rerun, edit (a prompt changed by hand), import
    name        VARCHAR NOT NULL,       -- what lists show
    model       VARCHAR NOT NULL,       -- folder or hub id
    source      VARCHAR NOT NULL,       -- the question file or hub dataset
    formats     VARCHAR[] NOT NULL,     -- names of the prompt formats
    orders      INTEGER NOT NULL,       -- variants a question: option orders, perturbed copies
    planned     INTEGER NOT NULL,       -- probes that the plan holds
    status      VARCHAR NOT NULL,       -- running, finished, cancelled, failed, interrupted
    fingerprint VARCHAR NOT NULL,       -- hash of plan and model: what --resume matches
    settings    JSON NOT NULL,          -- the whole plan: sampler, seed, formats, limit, ...
    model_info  JSON,                   -- engine.records.ModelInfo
    tokenizer   VARCHAR,                -- tokenizers.tokenizer
    parent_run  INTEGER,                -- the run that a rerun or edit comes from
    started_at  TIMESTAMP NOT NULL,     -- UTC
    finished_at TIMESTAMP,              -- NULL while it is going, or where its program died
    message     VARCHAR                 -- why it stopped, in one sentence
);

-- One row a question, its options in the order of the source.
CREATE TABLE questions (
    question_id VARCHAR PRIMARY KEY,    -- hash of dataset, subject, text, options and gold
    dataset     VARCHAR NOT NULL,       -- the source's name
    subject     VARCHAR NOT NULL,       -- empty where it has none
    text        VARCHAR NOT NULL,       -- as in the source
    options     STRUCT("label" VARCHAR, "text" VARCHAR, ordinal DOUBLE)[] NOT NULL, -- ordinal: place on a scale, for surveys
    gold        VARCHAR                 -- label in the source's order; NULL: has none (surveys)
);

-- One row a run, question, format and option order; numbered in the order they were stored.
CREATE TABLE probes (
    probe_id       INTEGER PRIMARY KEY, -- counts from 1, in the order of storing
    run_id         INTEGER NOT NULL,    -- the run it belongs to
    question_id    VARCHAR NOT NULL,    -- what was asked
    question_index INTEGER NOT NULL,    -- place of the question in its source, from 0
    format         VARCHAR NOT NULL,    -- name of the prompt format
    order_index    INTEGER NOT NULL,    -- number of the variant; 0 is the order of the source
    permutation    INTEGER[] NOT NULL,  -- permutation[i] is the source index of shown option i
    labels         VARCHAR[] NOT NULL,  -- as shown
    gold           VARCHAR,             -- label of the gold option in this order
    refusal_label  VARCHAR,             -- label of the option that is itself a refusal
    prompt         VARCHAR,             -- whole, chat template and special tokens included
    prompt_ids     INTEGER[],           -- tokens as the model received them
    label_ids      INTEGER[],           -- token of each label in this context
    chat           BOOLEAN,             -- whether the chat template was used
    shots          INTEGER,             -- worked examples in the prompt
    dropped_tokens INTEGER,             -- cut from the left to fit the window
    warnings       STRUCT(code VARCHAR, message VARCHAR)[] NOT NULL, -- what distorts the prompt or the answer; see docs/warnings.md
    label_logprobs FLOAT[],             -- raw logprob of each label's token, in label order
    top_ids        INTEGER[],           -- first position: likeliest tokens, likeliest first
    top_logprobs   FLOAT[],             -- their raw logprobs
    entropy        FLOAT,               -- first position, whole vocabulary, nats
    logsumexp      FLOAT,               -- first position; a logprob plus this is the raw logit
    unseen         FLOAT,               -- first position: mass outside top_ids
    vocab_size     INTEGER,             -- length of the logits vector
    seconds        FLOAT,               -- the probe's share of its batch
    stored_at      TIMESTAMP NOT NULL,  -- UTC
    perturbation   VARCHAR,             -- how the question was changed; NULL: its order at most
    shown_text     VARCHAR,             -- the question as it was changed; NULL: as in the source
    shown_options  VARCHAR[],           -- its options, where some are not the source's
    label_logits   FLOAT[]              -- raw logits of the labels, where a log has no logprobs
);

-- One row a probe, label and way to write the label as the first token.
CREATE TABLE spellings (
    probe_id INTEGER NOT NULL,          -- the probe
    label    VARCHAR NOT NULL,          -- of the option
    spelling VARCHAR NOT NULL,          -- such as 'A', ' A', '(A'
    token_id INTEGER NOT NULL,          -- first token of the spelling in this context
    whole    BOOLEAN NOT NULL,          -- whether that token is the whole spelling
    logprob  FLOAT NOT NULL             -- raw, first position
);

-- One row a probe and option, scored as a forced continuation of the prompt.
CREATE TABLE continuations (
    probe_id   INTEGER NOT NULL,        -- the probe
    label      VARCHAR NOT NULL,        -- of the option
    kind       VARCHAR NOT NULL,        -- label: the label alone; text: the option's text
    text       VARCHAR NOT NULL,        -- as appended to the prompt, delimiter included
    token_ids  INTEGER[],               -- tokenised jointly with the prompt
    logprobs   FLOAT[],                 -- one a token
    logprob    DOUBLE NOT NULL,         -- their sum
    tokens     INTEGER,                 -- their number
    characters INTEGER NOT NULL,        -- of the option's text or label, without the delimiter
    bytes      INTEGER NOT NULL,        -- the same in UTF-8
    is_greedy  BOOLEAN,                 -- every token is the likeliest at its position
    unconditional DOUBLE                -- the sum after the answer cue alone; NULL: not asked
);

-- One row a probe and text that the model wrote. Extra samples and branches were asked by hand
-- after the run; no reading or metric of the run counts them.
CREATE TABLE generations (
    probe_id      INTEGER NOT NULL,     -- the probe
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
    probe_id          INTEGER NOT NULL, -- the probe
    sample            INTEGER NOT NULL, -- of the generation
    position          INTEGER NOT NULL, -- from 0
    token_id          INTEGER NOT NULL, -- the token written
    logprob           FLOAT NOT NULL,   -- its raw logprob
    rank              INTEGER,          -- 1: the likeliest
    entropy           FLOAT,            -- whole vocabulary, nats
    logsumexp         FLOAT,            -- a logprob plus this is the raw logit
    unseen            FLOAT,            -- mass outside top_ids
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
    token_id  INTEGER NOT NULL,         -- as positions hold it
    piece     VARCHAR,                  -- the tokenizer's name for it; NULL: it knows no such id
    text      VARCHAR,                  -- raw as text, bytes that are no UTF-8 as U+FFFD
    raw       BLOB NOT NULL,            -- the bytes it stands for
    special   BOOLEAN NOT NULL          -- whether it is a control token
);

-- One row a probe and way of reading it; samples have one each.
CREATE TABLE readings (
    probe_id   INTEGER NOT NULL,        -- the probe
    name       VARCHAR NOT NULL,        -- first_token, vocab_argmax, continuation, greedy_text, ...
    sample     INTEGER,                 -- generations.sample of sample_, extra_, branch_text
    status     VARCHAR NOT NULL,        -- option, several, none_of_these, refusal, dont_know, ...
    label      VARCHAR,                 -- the option, in the labels shown
    labels     VARCHAR[] NOT NULL,      -- where status is several
    confidence FLOAT,                   -- between 0 and 1
    margin     FLOAT,                   -- distance to the runner-up, same unit
    rule       VARCHAR NOT NULL,        -- what decided
    span_start INTEGER,                 -- what the rule matched, in characters of the text
    span_end   INTEGER,                 -- end of that, exclusive
    hedged     BOOLEAN NOT NULL,        -- declines or doubts while endorsing an option
    position   INTEGER,                 -- number of the written token that was read, from 0
    logit      FLOAT                    -- highest raw logit at that position
);

-- What people said the greedy text says, in released data; an override by hand wins over it.
CREATE TABLE human_labels (
    probe_id INTEGER PRIMARY KEY,       -- the probe
    status   VARCHAR NOT NULL,          -- option, refusal, several, ...
    label    VARCHAR,                   -- the option, in the labels shown
    labels   VARCHAR[] NOT NULL,        -- where status is several
    original VARCHAR NOT NULL           -- as it stands in the data
);

-- What a log's own scorer said of a probe; one row a score.
CREATE TABLE scores (
    probe_id INTEGER NOT NULL,          -- the probe
    name     VARCHAR NOT NULL,          -- as the log calls it: acc, exact_match, choice, grade, ...
    value    DOUBLE,                    -- 1 for right; NULL: not a number
    answer   VARCHAR                    -- what the scorer took for the answer, where it says so
);

-- What a person decided the greedy text says; kept apart, never written over a reading.
CREATE TABLE overrides (
    probe_id INTEGER PRIMARY KEY,            -- the probe
    status   VARCHAR NOT NULL,               -- option, refusal, several, ...
    label    VARCHAR,                        -- the option, in the labels shown
    note     VARCHAR,                        -- why, in free words
    made_at  TIMESTAMP NOT NULL              -- UTC
);

-- Probes that a person marked.
CREATE TABLE marks (
    probe_id INTEGER PRIMARY KEY,            -- the probe
    made_at  TIMESTAMP NOT NULL              -- UTC
);
