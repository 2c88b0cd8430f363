"""One question of lm-evaluation-harness's samples as a probe."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from engine.errors import QuestionError
from engine.importers.imported import TokenNumbers
from engine.importers.recorded import Text, generations, named_option, number_of
from engine.questions import Option, Question
from engine.readings import Reading, ReadingName, read_probe
from engine.records import NOTHING_SEEN, Continuation, Distribution, ProbeResult
from engine.rendered import RecordedPrompt, opens_thinking
from engine.rows import RecordedProbe, Score
from engine.shapes import LABELS, QUESTION_KEYS, RawQuestion, recognise

NEEDED = ("doc_id", "doc", "target", "arguments", "resps", "filtered_resps")
"""What every sample has."""

_NO_METRICS = {*NEEDED, "filter", "metrics", "doc_hash", "prompt_hash", "target_hash", "task_name"}

Row = dict[str, Any]


class Task(NamedTuple):
    """What is known of a task before its samples are read.

    Attributes:
        format: What the prompts of the task are called.
        dataset: Where its questions come from.
        subject: Their subject, where the samples name none.
        shots: Worked examples in the prompt.
        chat: Whether a chat template was used.
        delimiter: What stands between prompt and answer.
    """

    format: str
    dataset: str
    subject: str = ""
    shots: int | None = None
    chat: bool | None = None
    delimiter: str = " "


class Request(NamedTuple):
    """One thing that the model was asked: to score a continuation, or to write a text.

    Attributes:
        context: The prompt.
        asked: The continuation, or how to write; None where neither is there.
        responses: A log-likelihood with its is-greedy verdict, or a text, a repetition.
    """

    context: str
    asked: str | dict[str, Any] | None
    responses: list[Any]


class Sample(NamedTuple):
    """What one question became, with what a user should know about it.

    Attributes:
        probe: The probe; its question stands in the source's order.
        scored_by: The reading that the task's accuracy is of, where there is one.
        oddities: Codes of the notes that it needs.
    """

    probe: RecordedProbe
    scored_by: ReadingName | None
    oddities: tuple[str, ...] = ()

    def at(self, index: int) -> Sample:
        """The same with another place of its question."""
        return self._replace(probe=msgspec.structs.replace(self.probe, question_index=index))


class _Asked(NamedTuple):
    """Question and answer of a sample before they are a probe."""

    prompt: str
    question: Question
    result: ProbeResult
    scored_by: ReadingName | None = None
    extra: Sequence[Reading] = ()
    oddities: tuple[str, ...] = ()


def sample_of(rows: Sequence[Row], task: Task, numbers: TokenNumbers) -> Sample:
    """The probe of one question, as if it were the first of its source.

    Args:
        rows: Its samples, one a filter.
        task: What is known of the task.
        numbers: What gives ids to tokens.
    """
    row = rows[0]
    requests = _requests(row)
    choosing = len(requests) > 1 and all(isinstance(each.asked, str) for each in requests)
    asked = _choice(row, requests, task, numbers) if choosing else _text(row, requests, task)
    readings = read_probe(
        asked.question, asked.result, numbers.raw, thinking=opens_thinking(asked.prompt)
    )
    probe = RecordedProbe(
        question_index=0,
        question=asked.question,
        question_id=asked.question.id,
        permutation=tuple(range(len(asked.question.options))),
        prompt=RecordedPrompt(task.format, 0, asked.prompt, task.chat, task.shots),
        result=asked.result,
        readings=[*readings, *asked.extra],
        scores=[score for each in rows for score in _scores(each, several=len(rows) > 1)],
    )
    return Sample(probe, asked.scored_by, asked.oddities)


def _requests(row: Row) -> list[Request]:
    """Newer samples name the arguments, older ones list them."""
    arguments = row["arguments"]
    listed = arguments.values() if isinstance(arguments, Mapping) else arguments
    asked = [list(each.values()) if isinstance(each, Mapping) else list(each) for each in listed]
    return [
        Request(
            each[0] if isinstance(each[0], str) else json.dumps(each[0], ensure_ascii=False),
            each[1] if len(each) > 1 else None,
            responses,
        )
        for each, responses in zip(asked, row["resps"], strict=True)
    ]


def _scores(row: Row, *, several: bool) -> list[Score]:
    """What every metric says; where there are several filters, of each as the harness names it."""
    named = row.get("metrics")
    names = [name for name in row if name not in _NO_METRICS] if named is None else named
    answer = row["filtered_resps"][0] if row["filtered_resps"] else None
    return [
        Score(
            f"{name},{row['filter']}" if several else str(name),
            number_of(row.get(name)),
            answer if isinstance(answer, str) else None,
        )
        for name in names
        if named is not None or number_of(row[name]) is not None
    ]


def _raw(doc: Any) -> RawQuestion | None:
    """Question and options of a document, where it holds them in a shape that is known."""
    try:
        return recognise(doc) if isinstance(doc, Mapping) else None
    except QuestionError:
        return None


def _question_text(doc: Any, raw: RawQuestion | None, context: str, shots: int | None) -> str:
    """From the document; otherwise the prompt, or its last block where there are examples."""
    if raw is not None:
        return str(raw.text)
    keys = (*QUESTION_KEYS, "ctx", "passage") if isinstance(doc, Mapping) else ()
    found = next((doc[key] for key in keys if isinstance(doc.get(key), str)), None)
    return found or (context if shots == 0 else context.rsplit("\n\n", 1)[-1])


def _choice(row: Row, requests: list[Request], task: Task, numbers: TokenNumbers) -> _Asked:
    """A question whose options were scored as continuations."""
    conditional, bare = _without_bare(requests)
    scored = [_log_likelihood(each.responses[0]) for each in conditional]
    alone = [_log_likelihood(each.responses[0])[0] for each in bare]
    unconditional: Sequence[float | None] = alone or [None] * len(scored)
    contexts = [each.context for each in conditional]
    continuations = [str(each.asked) for each in conditional]
    prompt, texts = contexts[0], [each.removeprefix(task.delimiter) for each in continuations]
    raw = _raw(row["doc"])
    oddities: tuple[str, ...] = ()
    if len(set(contexts)) > 1:
        prompt = _common_words(contexts)
        texts, oddities = [each[len(prompt) :] for each in contexts], ("options in the prompt",)
    labels = _scored_labels(texts, raw)
    options = _options(texts, labels, raw, prompt)
    gold, many = _gold(row["target"], options)
    question = _question(row["doc"], raw, options, gold, prompt, task)
    finite = all(math.isfinite(total) for total, _ in scored)
    result = ProbeResult(
        first=NOTHING_SEEN,
        label_logprobs=[],
        spellings=[],
        continuations=[
            Continuation(
                label=option.label,
                kind="text" if labels is None else "label",
                text=text,
                token_ids=[],
                logprobs=[],
                is_greedy=is_greedy,
                unconditional=unasked,
                recorded_total=total,
            )
            for option, text, (total, is_greedy), unasked in zip(
                options, continuations, scored, unconditional, strict=True
            )
        ]
        if finite
        else [],
        generations=[],
        seconds=None,
    )
    oddities += (*(("several targets",) if many else ()), *(() if finite else ("not finite",)))
    own: ReadingName = "continuation" if labels is None else "label_continuation"
    asked = _Asked(prompt, question, result, own, oddities=oddities)
    single = labels is not None and all(len(label) == 1 for label in labels)
    plain = labels is not None and [each.strip() for each in continuations] == labels
    return _with_first_token(asked, numbers) if finite and single and plain else asked


def _common_words(texts: Sequence[str]) -> str:
    """What texts begin with alike, to the last blank."""
    first, last = min(texts), max(texts)
    pairs = enumerate(zip(first, last, strict=False))
    end = next((place for place, (a, b) in pairs if a != b), min(len(first), len(last)))
    return first[: first.rfind(" ", 0, end) + 1]


def _without_bare(requests: list[Request]) -> tuple[list[Request], list[Request]]:
    """Requests with the question, and those of the options alone (for ``acc_mutual_info``)."""
    half = len(requests) // 2
    bare = requests[half:]
    if len(requests) % 2 == 0 and requests[0].context and not any(each.context for each in bare):
        return requests[:half], bare
    return requests, []


def _log_likelihood(response: Sequence[Any]) -> tuple[float, bool | None]:
    """Sum and is-greedy verdict; newer samples hold both as texts."""
    total, is_greedy = response[0], str(response[1])
    return float(total), {"True": True, "False": False}.get(is_greedy)


def _with_first_token(asked: _Asked, numbers: TokenNumbers) -> _Asked:
    """Labels of one character are one token, so that their sums are logprobs of the first token.

    The one that greedy decoding would write is the likeliest token of the vocabulary.
    """
    scored = asked.result.continuations
    likeliest = next((each for each in scored if each.is_greedy), None)
    result = ProbeResult(
        first=NOTHING_SEEN
        if likeliest is None
        else Distribution(
            [numbers.number(likeliest.text.encode())], [likeliest.total], None, None, None
        ),
        label_logprobs=[each.total for each in scored],
        spellings=[],
        continuations=scored,
        generations=[],
        seconds=None,
    )
    other = all(each.is_greedy is False for each in scored)
    unnamed = Reading("vocab_argmax", "unparsed", rule="a token that is no label")
    return asked._replace(result=result, extra=[unnamed] if other else [])


def _text(row: Row, requests: list[Request], task: Task) -> _Asked:
    """A question that was answered by a text, or a text that was scored and has no options."""
    prompt, how, responses = requests[0]
    raw = _raw(row["doc"])
    wrote = isinstance(how, dict)
    options = (
        tuple(Option(option.label, str(option.text)) for option in raw.options)
        if raw is not None and wrote and len(raw.options) > 1
        else ()
    )
    target = row["target"]
    gold = named_option(target if isinstance(target, str) else "", options)
    texts = [Text(number, str(each)) for number, each in enumerate(responses, start=1)]
    result = ProbeResult(
        first=NOTHING_SEEN,
        label_logprobs=[],
        spellings=[],
        continuations=[],
        generations=generations(texts, greedy=_is_greedy(how)) if isinstance(how, dict) else [],
        seconds=None,
    )
    question = _question(row["doc"], raw, options, gold, prompt, task)
    return _Asked(prompt, question, result, oddities=() if wrote else ("no options",))


def _is_greedy(how: Mapping[str, Any]) -> bool:
    """Whether a text was asked for without sampling: that is the harness's default."""
    if how.get("do_sample") is None:
        return not how.get("temperature")
    return not how["do_sample"]


def _question(
    doc: Any,
    raw: RawQuestion | None,
    options: tuple[Option, ...],
    gold: str | None,
    prompt: str,
    task: Task,
) -> Question:
    return Question(
        text=_question_text(doc, raw, prompt, task.shots),
        options=options,
        gold=gold,
        subject=(raw and raw.subject) or task.subject,
        dataset=(raw and raw.dataset) or task.dataset,
    )


def _scored_labels(texts: Sequence[str], raw: RawQuestion | None) -> list[str] | None:
    """The labels, where it is labels that were scored: "A", "(A)", "1", or the document's own."""
    bare = [text.strip(" ().") for text in texts]
    of_doc = raw.options if raw is not None and len(raw.options) == len(texts) else []
    if of_doc and [str(option.text).strip() for option in of_doc] == [t.strip() for t in texts]:
        return None
    numbers = [str(place) for place in range(1, len(texts) + 1)]
    known = ([option.label for option in of_doc], list(LABELS[: len(texts)]), numbers)
    return bare if bare in known else None


def _options(
    texts: Sequence[str], labels: list[str] | None, raw: RawQuestion | None, prompt: str
) -> tuple[Option, ...]:
    """The options: their texts are what was scored, or stand in the document or in the prompt."""
    of_doc = raw.options if raw is not None and len(raw.options) == len(texts) else None
    if labels is None:
        names = (
            [option.label for option in of_doc]
            if of_doc
            else [LABELS[i] if i < len(LABELS) else str(i + 1) for i in range(len(texts))]
        )
        return tuple(map(Option, names, texts))
    if of_doc:
        return tuple(
            Option(label, str(option.text)) for label, option in zip(labels, of_doc, strict=True)
        )
    lines = prompt.splitlines()
    return tuple(Option(label, _listed(label, lines)) for label in labels)


def _listed(label: str, lines: Sequence[str]) -> str:
    """The text after a label in the last line that begins with it; where none does, the label."""
    for line in reversed(lines):
        stripped = line.strip()
        for end in (".", ")", ":"):
            for start in (f"{label}{end} ", f"({label}{end} "):
                if stripped.startswith(start):
                    return stripped.removeprefix(start)
    return label


def _gold(target: Any, options: tuple[Option, ...]) -> tuple[str | None, bool]:
    """The right option of a choice, and whether there are more of them: the first counts."""
    places = target
    if isinstance(target, str):
        try:
            places = json.loads(target)
        except json.JSONDecodeError:
            places = target
    named = places if isinstance(places, list) else [places]
    first, many = (named or [None])[0], len(named) > 1
    if isinstance(first, int) and not isinstance(first, bool):
        return (options[first].label if 0 <= first < len(options) else None), many
    return named_option(str(first), options), many
