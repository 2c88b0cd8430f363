-- The store, schema version 1. Everything a published number needs, so that it can be recomputed
-- by SQL without running the model again. Times are UTC. Logprobs are natural logs in float32.
-- NULL means "not recorded", never zero.

CREATE TABLE meta (
    schema_version INTEGER NOT NULL,
    created_at     TIMESTAMP NOT NULL,
    created_by     VARCHAR NOT NULL
);

CREATE TABLE runs (
    run_id      INTEGER PRIMARY KEY,
    kind        VARCHAR NOT NULL,       -- run, rerun, import
    name        VARCHAR NOT NULL,       -- what lists show
    model       VARCHAR NOT NULL,
    source      VARCHAR NOT NULL,       -- the question file or hub dataset
    formats     VARCHAR[] NOT NULL,
    orders      INTEGER NOT NULL,
    planned     INTEGER NOT NULL,       -- probes that the plan holds
    status      VARCHAR NOT NULL,       -- running, finished, cancelled, failed, interrupted
    fingerprint VARCHAR NOT NULL,       -- hash of plan and model: what --resume matches
    settings    JSON NOT NULL,          -- the whole plan: sampler, seed, formats, limit, ...
    model_info  JSON,                   -- engine.records.ModelInfo
    tokenizer   VARCHAR,                -- tokenizers.tokenizer
    parent_run  INTEGER,                -- the run that a rerun repeats a part of
    started_at  TIMESTAMP NOT NULL,
    finished_at TIMESTAMP,
    message     VARCHAR                 -- why it stopped, in one sentence
);

CREATE TABLE questions (
    question_id VARCHAR PRIMARY KEY,
    dataset     VARCHAR NOT NULL,
    subject     VARCHAR NOT NULL,
    text        VARCHAR NOT NULL,
    options     STRUCT("label" VARCHAR, "text" VARCHAR, ordinal DOUBLE)[] NOT NULL,
    gold        VARCHAR
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
    prompt         VARCHAR NOT NULL,
    prompt_ids     INTEGER[],
    label_ids      INTEGER[],           -- token of each label in this context
    chat           BOOLEAN NOT NULL,
    shots          INTEGER NOT NULL,
    dropped_tokens INTEGER NOT NULL,
    warnings       STRUCT(code VARCHAR, message VARCHAR)[] NOT NULL,
    label_logprobs FLOAT[],             -- raw logprob of each label's token, in label order
    top_ids        INTEGER[],           -- first position, most likely first
    top_logprobs   FLOAT[],
    entropy        FLOAT,
    logsumexp      FLOAT,
    unseen         FLOAT,
    vocab_size     INTEGER,
    seconds        FLOAT,
    stored_at      TIMESTAMP NOT NULL
);

CREATE TABLE spellings (
    probe_id INTEGER NOT NULL,
    label    VARCHAR NOT NULL,
    spelling VARCHAR NOT NULL,
    token_id INTEGER NOT NULL,
    whole    BOOLEAN NOT NULL,
    logprob  FLOAT NOT NULL
);

CREATE TABLE continuations (
    probe_id   INTEGER NOT NULL,
    label      VARCHAR NOT NULL,
    kind       VARCHAR NOT NULL,        -- label, text
    text       VARCHAR NOT NULL,
    token_ids  INTEGER[] NOT NULL,
    logprobs   FLOAT[] NOT NULL,
    logprob    DOUBLE NOT NULL,         -- their sum
    tokens     INTEGER NOT NULL,
    characters INTEGER NOT NULL,        -- of the option's text or label, without the delimiter
    bytes      INTEGER NOT NULL,        -- the same in UTF-8
    is_greedy  BOOLEAN NOT NULL
);

CREATE TABLE generations (
    probe_id      INTEGER NOT NULL,
    sample        INTEGER NOT NULL,     -- 0 is greedy, samples count from 1
    kind          VARCHAR NOT NULL,     -- greedy, sample
    text          VARCHAR NOT NULL,
    tokens        INTEGER,
    finish_reason VARCHAR               -- stop, length
);

CREATE TABLE positions (
    probe_id          INTEGER NOT NULL,
    sample            INTEGER NOT NULL,
    position          INTEGER NOT NULL, -- from 0
    token_id          INTEGER NOT NULL,
    logprob           FLOAT NOT NULL,
    rank              INTEGER NOT NULL,
    entropy           FLOAT NOT NULL,
    logsumexp         FLOAT NOT NULL,
    unseen            FLOAT NOT NULL,
    top_ids           INTEGER[] NOT NULL,
    top_logprobs      FLOAT[] NOT NULL,
    sampler_logprob   FLOAT,
    sampler_logsumexp FLOAT,
    sampler_cutoff    FLOAT
);

-- What each token id of a tokenizer stands for; positions hold ids only.
CREATE TABLE tokens (
    tokenizer VARCHAR NOT NULL,
    token_id  INTEGER NOT NULL,
    piece     VARCHAR,                  -- NULL: an id the tokenizer does not know
    raw       BLOB NOT NULL,
    special   BOOLEAN NOT NULL
);

CREATE TABLE readings (
    probe_id   INTEGER NOT NULL,
    name       VARCHAR NOT NULL,        -- engine.readings.ReadingName
    sample     INTEGER,                 -- for sample_text
    status     VARCHAR NOT NULL,
    label      VARCHAR,
    labels     VARCHAR[] NOT NULL,
    confidence FLOAT,
    margin     FLOAT,
    rule       VARCHAR NOT NULL,
    span_start INTEGER,
    span_end   INTEGER,
    hedged     BOOLEAN NOT NULL
);

-- What a person decided; kept apart, never written over a reading.
CREATE TABLE overrides (
    probe_id INTEGER NOT NULL,
    sample   INTEGER NOT NULL,          -- 0: the greedy text
    status   VARCHAR NOT NULL,
    label    VARCHAR,
    note     VARCHAR,
    made_at  TIMESTAMP NOT NULL
);

CREATE TABLE marks (
    probe_id INTEGER PRIMARY KEY,
    made_at  TIMESTAMP NOT NULL
);

-- One row a probe: what each reading says and which flags are up. Filled from the view
-- `outcome_rows` in the transaction that stores the probe, so that lists of a million probes
-- need no join; the view is the definition.
CREATE TABLE outcomes (
    probe_id           INTEGER PRIMARY KEY,
    first_token        VARCHAR,         -- label: restricted argmax over the option labels
    first_probability  FLOAT,           -- softmax restricted to the options
    margin             FLOAT,           -- its distance to the runner-up, same unit
    option_mass        FLOAT,           -- mass of the labels' tokens under the full softmax
    entropy            FLOAT,           -- first position, nats
    vocab_token        VARCHAR,         -- text of the vocabulary's argmax
    vocab_argmax       VARCHAR,         -- the label that token spells, NULL for any other token
    continuation       VARCHAR,         -- label of the likeliest option text
    text_status        VARCHAR,         -- of the greedy text
    text_label         VARCHAR,
    text_source        VARCHAR,         -- reading or override
    sample_count       INTEGER,
    majority           VARCHAR,         -- label most samples say; NULL when it is no option
    majority_status    VARCHAR,
    sample_agreement   FLOAT,           -- share of samples that say what the majority says
    mismatch           BOOLEAN,
    vocab_mismatch     BOOLEAN,
    same_but_not_first BOOLEAN,
    refusal            BOOLEAN,
    first_refusal      BOOLEAN,
    several            BOOLEAN,
    unparsed           BOOLEAN,
    no_option          BOOLEAN,
    truncated          BOOLEAN,
    greedy_vs_samples  BOOLEAN,
    off_option_top     BOOLEAN,
    tie                BOOLEAN,
    low_margin         BOOLEAN,
    wrong              BOOLEAN,
    first_token_right  BOOLEAN,
    text_right         BOOLEAN
);
