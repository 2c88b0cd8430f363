"""What each shipped query must say, computed in Python from the raw rows."""

from __future__ import annotations

import json
import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any

from tests.raw_rows import Probe, Raw
from tests.varied_store import NEWEST

Rows = list[tuple[Any, ...]]
EXPECTED: dict[str, Callable[[Raw], Iterable[tuple[Any, ...]]]] = {}


def expects(compute: Callable[[Raw], Iterable[tuple[Any, ...]]]) -> Callable[[Raw], Any]:
    EXPECTED[compute.__name__.replace("_", "-")] = compute
    return compute


def natural(probe: Probe) -> tuple[int, str, int]:
    return probe.question_index, probe.format, probe.order_index


def grouped(probes: Iterable[Probe], *names: str) -> Iterator[tuple[tuple[Any, ...], list[Probe]]]:
    def key(probe: Probe) -> tuple[Any, ...]:
        return tuple(getattr(probe, name) for name in names)

    for values, members in groupby(sorted(probes, key=key), key):
        yield values, list(members)


def known(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if value is not None]


def total(values: Iterable[bool | None]) -> int | None:
    """How many are true; None where nothing was recorded."""
    there = known(values)
    return sum(there) if there else None


def share(part: float | None, whole: float) -> float | None:
    return part / whole if part is not None and whole else None


def mean(values: Iterable[float | None]) -> float | None:
    there = known(values)
    return sum(there) / len(there) if there else None


def absent_last(value: Any) -> tuple[bool, Any]:
    return value is None, 0 if value is None else value


def f32(value: float) -> float:
    import numpy as np

    return float(np.float32(value))


@expects
def refusals(raw: Raw) -> Iterator[tuple[Any, ...]]:
    for p in sorted((p for p in raw.newest if p.refusal), key=natural):
        yield (
            p.run_id, p.id, *natural(p), p.question["subject"], p.question["text"], p.status,
            p.source, p.reading("greedy_text")["rule"], p.greedy["text"], p.question_id,
        )  # fmt: skip


@expects
def refusals_by_format(raw: Raw) -> Iterator[tuple[Any, ...]]:
    for key, members in grouped(raw.all, "run_id", "format"):
        texts = known(p.refusal for p in members)
        options = known(p.first_refusal for p in members)
        yield (
            *key, len(texts), total(texts), share(total(texts), len(texts)),
            len(options), total(options),
        )  # fmt: skip


@expects
def first_tokens_of_refusals(raw: Raw) -> Iterator[tuple[Any, ...]]:
    members = [p for p in raw.newest if p.refusal and p.first and p.first != p.refusal_label]
    for p in sorted(members, key=lambda p: (-p.first_probability, p.id)):
        yield (
            p.run_id, p.id, *natural(p), p.question["text"], p.first, p.first_probability,
            p.option_mass, p.first_right, p.greedy["text"], p.question_id,
        )  # fmt: skip


@expects
def flips_under_sampling(raw: Raw) -> Iterator[tuple[Any, ...]]:
    rows = []
    for p in raw.newest:
        said = [(each["status"], each["label"]) for each in p.samples]
        flipped = sum(each != (p.status, p.label) for each in said)
        if p.status is not None and flipped:
            rows.append((p, flipped, len(said), len(set(said))))
    for p, flipped, n, different in sorted(rows, key=lambda r: (-r[1] / r[2], -r[3], r[0].id)):
        most = p.reading("majority")
        yield (
            p.run_id, p.id, *natural(p), p.question["text"], p.status, p.label, p.gold,
            flipped, n, different, most["status"], most["label"], p.question_id,
        )  # fmt: skip


@expects
def mismatch_by_format(raw: Raw) -> Iterator[tuple[Any, ...]]:
    for key, members in grouped(raw.all, "run_id", "format"):
        both = [p for p in members if p.mismatch is not None]
        off = [p for p in both if p.mismatch]
        vocab = [
            (p, p.reading("vocab_argmax")["label"])
            for p in members
            if p.reading("vocab_argmax")["status"] and p.status
        ]
        wrong = [not (label is not None and label == p.label) for p, label in vocab]
        second = [
            label != p.label and p.first == p.label for p, label in vocab if p.first is not None
        ]
        yield (
            *key, len(members), len(both), total(p.mismatch for p in both),
            share(len(off), len(both)), total(wrong), total(second),
            sum(p.status == "option" for p in off), sum(p.status != "option" for p in off),
        )  # fmt: skip


@expects
def mismatches(raw: Raw) -> Iterator[tuple[Any, ...]]:
    members = [p for p in raw.newest if p.mismatch and p.status == "option"]
    for p in sorted(members, key=lambda p: (-p.first_probability, p.id)):
        yield (
            p.run_id, p.id, *natural(p), p.question["text"], p.first, p.first_probability,
            p.label, p.gold, p.vocab_token, p.greedy["text"], p.question_id,
        )  # fmt: skip


@expects
def low_option_mass(raw: Raw) -> Iterator[tuple[Any, ...]]:
    members = [p for p in raw.newest if p.option_mass is not None and p.option_mass < 0.5]
    for p in sorted(members, key=lambda p: (f32(p.option_mass), p.id)):
        yield (
            p.run_id, p.id, *natural(p), p.question["text"], p.option_mass, p.vocab_token,
            p.first, p.first_probability, p.status, p.label, p.question_id,
        )  # fmt: skip


@expects
def surprising_tokens(raw: Raw) -> Iterator[tuple[Any, ...]]:
    rows = [
        (w["logprob"], p.id, w["sample"], w["position"], w, g["kind"], p)
        for p in raw.newest
        for g in p.generations
        for w in p.positions
        if g["sample"] == w["sample"] and g["kind"] in ("greedy", "sample")
    ]
    for *_, w, kind, p in sorted(rows, key=lambda row: row[:4])[:500]:
        yield (
            p.run_id, p.id, p.question_index, p.format, kind, w["sample"], w["position"],
            p.tokens.get(w["token_id"]), math.exp(w["logprob"]), w["rank"],
            p.tokens.get(w["top_ids"][0]), math.exp(w["top_logprobs"][0]), w["entropy"],
            p.question_id,
        )  # fmt: skip


@expects
def runner_ups(raw: Raw) -> Iterator[tuple[Any, ...]]:
    rows = []
    for p in raw.newest:
        for w in p.positions:
            others = [
                pair
                for pair in zip(w["top_ids"], w["top_logprobs"], strict=True)
                if pair[0] != w["token_id"]
            ]
            if w["sample"] == 0 and others:
                gap = f32(w["logprob"] - others[0][1])
                rows.append((gap, p.id, w["position"], p, w, *others[0]))
    for gap, _, place, p, w, other, logprob in sorted(rows, key=lambda row: row[:3])[:500]:
        yield (
            p.run_id, p.id, *natural(p), place, p.tokens.get(w["token_id"]),
            math.exp(w["logprob"]), p.tokens.get(other), math.exp(logprob), gap, p.question_id,
        )  # fmt: skip


@expects
def alternatives(raw: Raw) -> Iterator[tuple[Any, ...]]:
    p = min(raw.all, key=lambda p: p.id)
    for w in sorted((w for w in p.positions if w["sample"] == 0), key=lambda w: w["position"]):
        kept = list(zip(w["top_ids"], w["top_logprobs"], strict=True))[:5]
        for rank, (token, logprob) in enumerate(kept, 1):
            yield (
                p.run_id, p.id, w["position"], rank, p.tokens.get(token), math.exp(logprob),
                token == w["token_id"], p.question_id,
            )  # fmt: skip


@expects
def accuracy_by_format(raw: Raw) -> Iterator[tuple[Any, ...]]:
    for key, members in grouped(raw.all, "run_id", "format"):
        first = known(p.first_right for p in members)
        text = known(p.text_right for p in members)
        scored = [
            p.reading("continuation")["label"] == p.gold
            for p in members
            if p.gold and p.reading("continuation")["label"]
        ]
        yield (
            *key, len(members), len(known(p.gold for p in members)),
            *(value for right in (first, text, scored)
              for value in (len(right), total(right), share(total(right), len(right)))),
        )  # fmt: skip


@expects
def accuracy_by_subject(raw: Raw) -> Iterator[tuple[Any, ...]]:
    rows = []
    for subject in {p.question["subject"] for p in raw.newest}:
        graded = [p for p in raw.newest if p.gold and p.question["subject"] == subject]
        for key, members in grouped(graded, "run_id", "format"):
            first = known(p.first_right for p in members)
            text = known(p.text_right for p in members)
            rows.append((
                *key, subject, len(first), share(sum(first), len(first)),
                len(text), share(sum(text), len(text)),
            ))  # fmt: skip
    yield from sorted(rows, key=lambda row: (row[1], absent_last(row[6]), row[2]))


MATRIX = ("first_token", "first_token_spellings", "vocab_argmax", "label_continuation",
          "continuation", "greedy_text", "majority")  # fmt: skip


@expects
def agreement_of_readings(raw: Raw) -> Iterator[tuple[Any, ...]]:
    says = [
        {name: label or status for name, status, label in p.said() if name in MATRIX}
        for p in raw.newest
    ]
    for one in sorted(MATRIX):
        cells = []
        for other in MATRIX:
            both = [each[one] == each[other] for each in says if one in each and other in each]
            cells.append(share(sum(both), len(both)))
        if any(one in each for each in says):
            yield (one, *cells)


@expects
def agreement_counts(raw: Raw) -> Iterator[tuple[Any, ...]]:
    pairs: dict[tuple[str, str, str], list[tuple[bool, bool, bool]]] = defaultdict(list)
    for p in raw.newest:
        said = {name: (label or status, label) for name, status, label in p.said()}
        for one in said:
            for other in said:
                if one < other:
                    right, wrong = (p.gold and said[name][1] == p.gold for name in (one, other))
                    pairs[p.format, one, other].append((
                        said[one][0] == said[other][0],
                        bool(p.gold and right and not wrong),
                        bool(p.gold and wrong and not right),
                    ))  # fmt: skip
    rows = []
    for key, found in pairs.items():
        agree, only_one, only_other = map(sum, zip(*found, strict=True))
        rows.append((*key, len(found), agree, agree / len(found), only_one, only_other))
    yield from sorted(rows, key=lambda row: (row[0], row[5], row[1], row[2]))


@expects
def wrong_in_every_format(raw: Raw) -> Iterator[tuple[Any, ...]]:
    for (index, question_id), members in grouped(raw.newest, "question_index", "question_id"):
        right = known(p.text_right for p in members)
        if not right or any(right):
            continue
        q = members[0].question
        yield (
            NEWEST, min(p.id for p in members), index, q["subject"], q["text"],
            len({p.format for p in members if p.text_right is not None}), len(right),
            total(p.first_right for p in members),
            sorted({p.status for p in members if p.status}), q["gold"],
            next(option["text"] for option in q["options"] if option["label"] == q["gold"]),
            question_id,
        )  # fmt: skip


@expects
def label_shares(raw: Raw) -> Iterator[tuple[Any, ...]]:
    rows: Rows = []
    whole = [p for p in raw.newest if p.perturbation is None]
    for (fmt, order), members in grouped(whole, "format", "order_index"):
        golds = Counter(known(p.gold for p in members))
        for reading in ("first_token", "greedy_text"):
            named = Counter(
                label
                for p in members
                for name, _, label in p.said()
                if name == reading and label is not None
            )
            for label, count in sorted(named.items()):
                rows.append((
                    fmt, reading, order, label, count, named.total(),
                    count / named.total(), share(golds[label], golds.total()),
                ))  # fmt: skip
    yield from sorted(rows)


@expects
def label_spellings(raw: Raw) -> Iterator[tuple[Any, ...]]:
    masses: dict[tuple[str, str], list[float]] = defaultdict(list)
    for p in raw.newest:
        forms: dict[str, dict[int, float]] = defaultdict(dict)
        for s in p.spellings:
            letter = s["label"] if s["label"] in s["spelling"] else s["label"].lower()
            sign = "X" if letter == s["label"] else "x"
            if s["whole"]:
                forms[s["spelling"].replace(letter, sign)][s["token_id"]] = s["logprob"]
        for form, tokens in forms.items():
            masses[p.format, form].append(sum(map(math.exp, tokens.values())))
    rows = [
        (*key, len(found), mean(found), statistics.median(found), max(found))
        for key, found in masses.items()
    ]
    yield from sorted(rows, key=lambda row: (row[0], -row[3], row[1]))


@expects
def entropy_by_subject(raw: Raw) -> Iterator[tuple[Any, ...]]:
    rows = []
    for (fmt,), members in grouped(raw.newest, "format"):
        for subject in {p.question["subject"] for p in members}:
            of_subject = [p for p in members if p.question["subject"] == subject]
            there = known(p.entropy for p in of_subject)
            rows.append((
                fmt, subject, len(of_subject), len(there), mean(there),
                statistics.median(there) if there else None, max(there, default=None),
            ))  # fmt: skip
    yield from sorted(rows, key=lambda row: (row[0], absent_last(row[4] and -row[4]), row[1]))


@expects
def lengths(raw: Raw) -> Iterator[tuple[Any, ...]]:
    texts = defaultdict(list)
    for p in raw.all:
        for g in p.generations:
            if g["kind"] in ("greedy", "sample"):
                texts[p.run_id, p.format, g["kind"], g["finish_reason"]].append(g)
    for key in sorted(texts, key=lambda key: (*key[:3], absent_last(key[3]))):
        tokens = known(g["tokens"] for g in texts[key])
        yield (
            *key, len(texts[key]), len(tokens), mean(tokens),
            statistics.median(tokens) if tokens else None, max(tokens, default=None),
            mean(len(g["text"]) for g in texts[key]),
        )  # fmt: skip


@expects
def cut_texts(raw: Raw) -> Iterator[tuple[Any, ...]]:
    members = [p for p in raw.newest if p.greedy["finish_reason"] == "length"]
    for p in sorted(members, key=lambda p: (p.status != "truncated", p.id)):
        yield (
            p.run_id, p.id, *natural(p), p.question["text"], p.greedy["tokens"], p.status,
            p.label, p.gold, p.greedy["text"], p.question_id,
        )  # fmt: skip


@expects
def ties(raw: Raw) -> Iterator[tuple[Any, ...]]:
    members = [p for p in raw.newest if p.tie or p.near_tie or p.low_margin]

    def order(p: Probe) -> tuple[Any, ...]:
        margin = p.reading("first_token")["margin"]
        return not p.tie, not p.near_tie, absent_last(margin), p.id

    for p in sorted(members, key=order):
        yield (
            p.run_id, p.id, *natural(p), p.question["text"], p.tie, p.near_tie, p.low_margin,
            p.reading("first_token")["margin"], p.greedy["least_margin"], "float32", p.first,
            p.label, p.question_id,
        )  # fmt: skip


@expects
def greedy_against_majority(raw: Raw) -> Iterator[tuple[Any, ...]]:
    for key, members in grouped(raw.all, "run_id", "format"):
        both = [p for p in members if p.flips is not None]
        same = sum(not p.flips for p in both)
        right = [
            (p.label == p.gold, p.reading("majority")["label"] == p.gold) for p in both if p.gold
        ]
        yield (
            *key, len(both), same, share(same, len(both)), len(right),
            total(greedy for greedy, _ in right), total(most for _, most in right),
            total(greedy and not most for greedy, most in right),
            total(most and not greedy for greedy, most in right),
        )  # fmt: skip


@expects
def right_in_a_sample(raw: Raw) -> Iterator[tuple[Any, ...]]:
    rows = []
    for p in raw.newest:
        right = sum(each["label"] == p.gold for each in p.samples)
        if p.text_right is False and right:
            rows.append((p, right, len(p.samples)))
    for p, right, n in sorted(rows, key=lambda row: (-row[1] / row[2], row[0].id)):
        most = p.reading("majority")["label"]
        yield (
            p.run_id, p.id, *natural(p), p.question["text"], p.gold, p.status, p.label,
            right, n, None if most is None else most == p.gold, p.question_id,
        )  # fmt: skip


@expects
def several_answers(raw: Raw) -> Iterator[tuple[Any, ...]]:
    for p in sorted((p for p in raw.newest if p.status == "several"), key=lambda p: p.id):
        read = p.reading("greedy_text")
        found = read["labels"] if read["status"] == "several" else None
        yield (
            p.run_id, p.id, *natural(p), p.question["text"], found, p.gold,
            None if found is None or p.gold is None else p.gold in found,
            read["rule"] if found is not None else None, p.source, p.greedy["text"],
            p.question_id,
        )  # fmt: skip


@expects
def continuation_against_first_token(raw: Raw) -> Iterator[tuple[Any, ...]]:
    for p in sorted(raw.newest, key=natural):
        scored = p.reading("continuation")
        if p.first and scored["label"] and p.first != scored["label"]:
            yield (
                p.run_id, p.id, *natural(p), p.question["text"], p.first, p.first_probability,
                scored["label"], scored["confidence"], p.gold, p.label, p.question_id,
            )  # fmt: skip


@expects
def overrides(raw: Raw) -> Iterator[tuple[Any, ...]]:
    rows = []
    for p in raw.all:
        if p.override:
            read, made = p.reading("greedy_text"), p.override
            overruled = (made["status"], made["label"]) != (read["status"], read["label"])
            rows.append((
                p.run_id, p.id, p.question_index, p.format, made["status"], made["label"],
                read["status"], read["label"], overruled, made["note"], made["made_at"],
                p.greedy["text"], p.question_id,
            ))  # fmt: skip
    yield from sorted(rows, key=lambda row: (not row[8], row[1]))


@expects
def human_labels(raw: Raw) -> Iterator[tuple[Any, ...]]:
    pairs: dict[tuple[Any, ...], list[bool]] = defaultdict(list)
    for p in raw.all:
        if p.human:
            read = p.reading("greedy_text")
            key = p.run_id, p.human["status"], read["status"]
            pairs[key].append(p.human["label"] == read["label"])
    of_people = Counter(key[:2] for key, found in pairs.items() for _ in found)
    rows = [
        (*key, len(found), sum(found), len(found) / of_people[key[:2]])
        for key, found in pairs.items()
    ]
    yield from sorted(rows, key=lambda row: (*row[:2], -row[3], absent_last(row[2])))


@expects
def compare_two_runs(raw: Raw) -> Iterator[tuple[Any, ...]]:
    def says(p: Probe) -> str | None:
        return p.source_label(p.label) or p.status

    before = {
        (p.question_id, p.format, p.order_index): p
        for p in raw.all
        if p.run_id == NEWEST - 1 and p.perturbation is None
    }
    for p in sorted(raw.newest, key=natural):
        other = before.get((p.question_id, p.format, p.order_index))
        if other is None or p.perturbation or p.status is None or says(other) == says(p):
            continue
        yield (
            p.run_id, p.id, *natural(p), p.question["text"], NEWEST - 1, says(other), says(p),
            other.text_right, p.text_right, p.question_id,
        )  # fmt: skip


@expects
def slowest_probes(raw: Raw) -> Iterator[tuple[Any, ...]]:
    members = [p for p in raw.newest if p.seconds is not None]
    for p in sorted(members, key=lambda p: (-p.seconds, p.id))[:200]:
        texts = [g for g in p.generations if g["kind"] in ("greedy", "sample")]
        tokens = known(g["tokens"] for g in texts)
        yield (
            p.run_id, p.id, *natural(p), p.seconds,
            None if p.prompt_ids is None else len(p.prompt_ids), len(texts),
            sum(tokens) if tokens else None, len(p.labels), p.question_id,
        )  # fmt: skip


@expects
def confidence(raw: Raw) -> Iterator[tuple[Any, ...]]:
    bins: dict[tuple[str, float], list[Probe]] = defaultdict(list)
    for p in raw.newest:
        if p.first_probability is not None:
            bins[p.format, min(math.floor(p.first_probability * 10), 9) / 10].append(p)
    for key in sorted(bins):
        graded = [p for p in bins[key] if p.first_right is not None]
        right = total(p.first_right for p in graded)
        yield (
            *key, len(bins[key]), len(graded), mean(p.first_probability for p in graded), right,
            share(right, len(graded)),
        )  # fmt: skip


@expects
def sure_and_wrong(raw: Raw) -> Iterator[tuple[Any, ...]]:
    members = [
        p for p in raw.newest if (p.first_probability or 0) >= 0.9 and p.first_right is False
    ]
    for p in sorted(members, key=lambda p: (-p.first_probability, p.id)):
        yield (
            p.run_id, p.id, *natural(p), p.question["text"], p.first, p.first_probability,
            p.option_mass, p.gold, p.label, p.text_right, p.question_id,
        )  # fmt: skip


@expects
def warnings(raw: Raw) -> Iterator[tuple[Any, ...]]:
    for (run_id, fmt), members in grouped(raw.all, "run_id", "format"):
        warned: dict[str, list[tuple[Probe, str]]] = defaultdict(list)
        for p in sorted(members, key=lambda p: p.id):
            for warning in p.warnings:
                warned[warning["code"]].append((p, warning["message"]))
        for code in sorted(warned, key=lambda code: (-len(warned[code]), code)):
            p, message = warned[code][0]
            yield (
                run_id, p.id, fmt, code, len({p.id for p, _ in warned[code]}), len(members),
                message, p.question_id,
            )  # fmt: skip


@expects
def first_written_tokens(raw: Raw) -> Iterator[tuple[Any, ...]]:
    for (fmt,), members in grouped(raw.newest, "format"):
        begun: dict[int, list[tuple[Probe, float]]] = defaultdict(list)
        for p in members:
            for w in p.positions:
                if w["sample"] == 0 and w["position"] == 0:
                    begun[w["token_id"]].append((p, math.exp(w["logprob"])))
        total = sum(map(len, begun.values()))
        for token in sorted(begun, key=lambda token: (-len(begun[token]), token)):
            found = begun[token]
            yield (
                fmt, members[0].tokens.get(token), token, len(found), len(found) / total,
                mean(probability for _, probability in found),
                sum(p.status == "option" for p, _ in found),
            )  # fmt: skip


@expects
def asked_by_hand(raw: Raw) -> Iterator[tuple[Any, ...]]:
    for p in raw.all:
        for g in p.generations:
            if g["kind"] not in ("extra", "branch"):
                continue
            read = next(r for r in p.readings if r["sample"] == g["sample"])
            yield (
                p.run_id, p.id, p.question_index, p.format, g["kind"], g["sample"], g["parent"],
                g["fork"], read["status"], read["label"], p.status, p.label, p.gold, g["text"],
                p.question_id,
            )  # fmt: skip


@expects
def sweep_points(raw: Raw) -> Iterator[tuple[Any, ...]]:
    for run_id, run in sorted(raw.runs.items()):
        plan = json.loads(run["settings"])
        if run["kind"] != "run" or "sweep" not in plan:
            continue
        for place, point in enumerate(plan["sweep"]["points"], 1):
            setting = point.get("setting")
            if setting and plan["settings"]["sampler"][setting[0]] != setting[1]:
                continue
            members = [
                p
                for p in raw.all
                if p.run_id == run_id
                and p.format == point["format"]
                and p.perturbation is None
                and point.get("order") in (None, p.order_index)
            ]
            first, text, off = (
                known(getattr(p, name) for p in members)
                for name in ("first_right", "text_right", "mismatch")
            )
            yield (
                run_id, plan["sweep"]["axis"], place, point["label"], point["format"],
                len(members), len(first), share(sum(first), len(first)), len(text),
                share(sum(text), len(text)), len(off), share(sum(off), len(off)),
                total(p.refusal for p in members), mean(p.option_mass for p in members),
                mean(p.entropy for p in members),
            )  # fmt: skip


@expects
def unread_texts(raw: Raw) -> Iterator[tuple[Any, ...]]:
    members = [p for p in raw.newest if p.status == "unparsed"]
    for p in sorted(members, key=lambda p: (len(p.greedy["text"]), p.id)):
        yield (
            p.run_id, p.id, *natural(p), p.question["text"], p.gold, p.first,
            len(p.greedy["text"]), p.greedy["text"], p.question_id,
        )  # fmt: skip


@expects
def hedged_answers(raw: Raw) -> Iterator[tuple[Any, ...]]:
    for p in sorted(raw.newest, key=natural):
        if p.reading("greedy_text")["hedged"]:
            yield (
                p.run_id, p.id, *natural(p), p.question["text"], p.status, p.label, p.gold,
                p.text_right, p.greedy["text"], p.question_id,
            )  # fmt: skip


@expects
def moves_with_order(raw: Raw) -> Iterator[tuple[Any, ...]]:
    rows = []
    whole = [p for p in raw.newest if p.perturbation is None]
    for key, members in grouped(whole, "question_index", "format", "question_id"):
        for reading in ("first_token", "greedy_text"):
            said = [
                (p, label, status)
                for p in sorted(members, key=lambda p: p.order_index)
                for name, status, label in p.said()
                if name == reading
            ]
            options = {p.option(label) for p, label, _ in said if label}
            if len(options) > 1:
                rows.append((
                    NEWEST, min(p.id for p, *_ in said), *key[:2], reading, len(said),
                    sum(label is not None for _, label, _ in said), len(options),
                    [p.option_text(label) or status for p, label, status in said], key[2],
                ))  # fmt: skip
    yield from sorted(rows, key=lambda row: (-row[7], *row[2:5]))


@expects
def log_scores(raw: Raw) -> Iterator[tuple[Any, ...]]:
    for key, members in grouped(raw.all, "run_id", "format"):
        scored = [(s["value"], p.text_right) for p in members for s in p.scores]
        pairs = [(v, right) for v, right in scored if v is not None and right is not None]
        if scored:
            yield (
                *key, "acc", len(scored), len(known(v for v, _ in scored)),
                mean(v for v, _ in scored), len(pairs),
                sum((v == 1) == right for v, right in pairs),
                sum(v == 1 and not right for v, right in pairs),
                sum(v != 1 and right for v, right in pairs),
            )  # fmt: skip


@expects
def marked(raw: Raw) -> Iterator[tuple[Any, ...]]:
    members = [p for p in raw.all if p.marked]
    for p in sorted(members, key=lambda p: (-p.marked["made_at"].timestamp(), p.id)):
        yield (
            p.run_id, p.id, *natural(p), p.question["text"], p.first, p.status, p.label, p.gold,
            p.marked["made_at"], p.question_id,
        )  # fmt: skip


@expects
def uncertainty_by_position(raw: Raw) -> Iterator[tuple[Any, ...]]:
    places: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for p in raw.newest:
        for w in p.positions:
            if w["sample"] == 0:
                places[p.format, w["position"]].append(w)
    for key in sorted(places):
        probabilities = [math.exp(w["logprob"]) for w in places[key]]
        entropies = known(w["entropy"] for w in places[key])
        yield (
            *key, len(probabilities), len(entropies), mean(entropies), mean(probabilities),
            min(probabilities),
        )  # fmt: skip


@expects
def prompts(raw: Raw) -> Iterator[tuple[Any, ...]]:
    for key, members in grouped(raw.all, "run_id", "format"):
        tokens = [len(p.prompt_ids) for p in members if p.prompt_ids is not None]
        shots, chat, dropped = (
            known(getattr(p, name) for p in members) for name in ("shots", "chat", "dropped_tokens")
        )
        yield (
            *key, len(members), len(tokens), mean(tokens), max(tokens, default=None),
            min(shots, default=None), max(shots, default=None), total(chat),
            total(n > 0 for n in dropped),
            sum(bool(p.warnings) for p in members),
        )  # fmt: skip


@expects
def runs(raw: Raw) -> Iterator[tuple[Any, ...]]:
    for run_id, run in sorted(raw.runs.items(), reverse=True):
        members = [p for p in raw.all if p.run_id == run_id]
        taken = run["finished_at"] - run["started_at"]
        yield (
            run_id, run["kind"], run["name"], run["model"], run["status"], run["planned"],
            len(members), len({p.question_id for p in members}), run["formats"], run["orders"],
            run["source"], run["started_at"], taken.total_seconds(), run["message"],
        )  # fmt: skip
