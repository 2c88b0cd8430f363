"""Make a big database of made-up results, to see how lists and queries scale.

    python -m benchmarks.make_big_store big.duckdb --probes 1000000 --tokens 10

The rows are random but shaped like a real run: four formats, text answers that disagree with the
first token, refusals, a greedy text and samples, scored options and spellings, and with
``--tokens`` that many written tokens a probe, half of them greedy and half of the first sample,
each with its twenty likeliest alternatives. A million probes with ten tokens take about three
minutes and two gigabytes.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import duckdb

from engine.database import connect
from engine.protocol import VocabularyEntry
from engine.schema import fill_outcomes
from engine.store import open_store

CHUNK = 100_000
VOCABULARY = 32_000
TOKENIZER = "made-up"

PICK = "CREATE TEMP MACRO pick(number, a, b) AS (hash(a, b) % number)::INTEGER"
"""A number below ``number`` that ``a`` and ``b`` decide."""

QUESTIONS = """
INSERT INTO questions
SELECT
    left(md5(i::VARCHAR), 16),
    'made up',
    'subject ' || i % 57,
    'Question ' || i || ': which goes with ' || md5(i::VARCHAR) || repeat(' and more', i % 9),
    [
        {'label': label, 'text': 'option ' || label || ' of ' || i, 'ordinal': NULL}
        FOR label IN ['A', 'B', 'C', 'D']
    ],
    chr(65 + pick(4, i, 0))
FROM range($first // 4, ($last + 3) // 4) t(i)
ON CONFLICT DO NOTHING
"""

PROBES = """
INSERT INTO probes
SELECT
    1 + i,
    1,
    left(md5((i // 4)::VARCHAR), 16),
    i // 4,
    ['low', 'middle', 'high', 'example'][1 + i % 4],
    0,
    [0, 1, 2, 3],
    ['A', 'B', 'C', 'D'],
    chr(65 + pick(4, i // 4, 0)),
    NULL,
    'Question ' || i // 4 || repeat(' prompt text', 20),
    range(1000, 1080),
    [100, 101, 102, 103],
    false,
    0,
    0,
    [],
    [ln(random() / 4) FOR _ IN range(4)],
    [100 + pick(8, i, 0)] || [200 + pick(60, i, k) FOR k IN range(4)]
        || [pick($vocabulary, i, k) FOR k IN range(4, 19)],
    list_reverse_sort([-12 * random() FOR _ IN range(20)]),
    4 * random(),
    12.5,
    random() / 20,
    $vocabulary,
    0.1,
    TIMESTAMP '2026-01-01',
    NULL,
    NULL,
    NULL,
    NULL
FROM range($first, $last) t(i)
"""

CONTINUATIONS = """
INSERT INTO continuations
SELECT
    1 + i,
    chr(65 + k::INTEGER),
    'text',
    'option ' || chr(65 + k::INTEGER) || ' of ' || i // 4,
    [pick($vocabulary, i // 4, place) FOR place IN range(k, k + 3)],
    [-pick(90000, i, place) / 1e4 FOR place IN range(3 * k, 3 * k + 3)] AS logprobs,
    list_sum(logprobs),
    3,
    18,
    18,
    false,
    NULL
FROM range($first, $last) t(i), range(4) u(k)
ORDER BY i, k
"""

SPELLINGS = """
INSERT INTO spellings
SELECT
    1 + i,
    chr(65 + k::INTEGER // 2),
    repeat(' ', k % 2) || chr(65 + k::INTEGER // 2),
    100 + k,
    true,
    -12 * random()
FROM range($first, $last) t(i), range(8) u(k)
ORDER BY i, k
"""

GENERATIONS = """
INSERT INTO generations
SELECT
    1 + i,
    k,
    ['greedy', 'sample'][1 + k],
    'The answer is ' || chr(65 + pick(5, i, k)) || ', because ' || md5(i::VARCHAR),
    $tokens // 2,
    'stop',
    NULL,
    NULL,
    random() / 10
FROM range($first, $last) t(i), range(2) u(k)
ORDER BY i, k
"""

READINGS = """
INSERT INTO readings
SELECT
    1 + i,
    name,
    CASE WHEN name = 'sample_text' THEN place - 3 END,
    CASE
        WHEN pick(10, i, place) < 7 OR name IN ('first_token', 'continuation') THEN 'option'
        WHEN name = 'vocab_argmax' THEN 'unparsed'
        ELSE ['refusal', 'several', 'unparsed'][1 + pick(3, i, place)]
    END AS status,
    CASE WHEN status = 'option' THEN chr(65 + pick(4, i, place // 3)) END,
    [],
    random(),
    random(),
    'rule',
    NULL,
    NULL,
    false,
    NULL,
    NULL
FROM range($first, $last) t(i)
CROSS JOIN (
    SELECT unnest(names) AS name, generate_subscripts(names, 1) AS place
    FROM (SELECT ['first_token', 'vocab_argmax', 'continuation', 'greedy_text', 'sample_text',
                  'sample_text', 'sample_text', 'sample_text', 'majority'] AS names)
)
ORDER BY ALL
"""

POSITIONS = """
INSERT INTO positions
SELECT
    1 + i,
    k % 2,
    k // 2,
    pick($vocabulary, i, k),
    ln(random()),
    1 + pick(3, i, k),
    round(4 * random(), 4),
    round(10 + 5 * random(), 4),
    random() / 20,
    [pick($vocabulary, i * 64 + k, place) FOR place IN range(20)],
    list_reverse_sort([round(-14 * random(), 4) FOR _ IN range(20)]),
    CASE WHEN k % 2 = 1 THEN ln(random()) END,
    CASE WHEN k % 2 = 1 THEN round(12 + 5 * random(), 4) END,
    CASE WHEN k % 2 = 1 THEN round(5 * random(), 4) END,
    round(4 * random(), 4)
FROM range($first, $last) t(i), range($tokens) u(k)
ORDER BY i, k % 2, k // 2
"""


def make_big_store(path: Path, probes: int, tokens: int) -> None:
    """Make the database; tables are filled in steps, each one transaction."""
    vocabulary = [VocabularyEntry(f"t{i}", f"t{i}".encode(), False) for i in range(VOCABULARY)]
    with open_store(path) as store:
        store.add_vocabulary(TOKENIZER, vocabulary)
        store.add_run(
            kind="run",
            name="made up",
            model="made/up",
            source="made up",
            formats=["low", "middle", "high", "example"],
            orders=1,
            planned=probes,
            fingerprint="made up",
            settings='{"settings": {"sampler": {"temperature": 1.0}}}',
        )
        store.finish_run(1, "finished")
    with connect(path, read_only=False) as connection:
        connection.execute(PICK)
        connection.execute(f"UPDATE runs SET tokenizer = '{TOKENIZER}'")
        for first in range(0, probes, CHUNK):
            _fill(connection, first, min(first + CHUNK, probes), tokens)


def _fill(connection: duckdb.DuckDBPyConnection, first: int, last: int, tokens: int) -> None:
    values = {"first": first, "last": last, "tokens": tokens, "vocabulary": VOCABULARY}
    for statement in (
        QUESTIONS,
        PROBES,
        CONTINUATIONS,
        SPELLINGS,
        GENERATIONS,
        READINGS,
        POSITIONS,
    ):
        used = {name: value for name, value in values.items() if f"${name}" in statement}
        connection.execute(statement, used)
    fill_outcomes(connection, first + 1, last)


def main() -> None:
    """Read the arguments, make the database, say what it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--probes", type=int, default=1_000_000)
    parser.add_argument("--tokens", type=int, default=0, help="written tokens a probe")
    options = parser.parse_args()
    started = time.perf_counter()
    make_big_store(options.path, options.probes, options.tokens)
    print(
        f"{options.path}: {options.probes:,} probes, "
        f"{options.probes * options.tokens:,} positions, "
        f"{options.path.stat().st_size / 1e6:,.0f} MB, {time.perf_counter() - started:.0f} s"
    )


if __name__ == "__main__":
    main()
