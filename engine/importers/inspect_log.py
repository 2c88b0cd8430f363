"""Logs of inspect: ``.eval`` and ``.json``, version 2.

One sample a question and epoch: messages, choices, target, what the model wrote, and what the
scorers said. The prompt as the model received it is not in a log; its messages are. Tokens are
there where the evaluation asked for logprobs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.errors import LogError
from engine.importers.files import files_in
from engine.importers.imported import ImportedRun, TokenNumbers
from engine.importers.inspect_files import KIND, Log, Record, read_log
from engine.importers.inspect_samples import (
    Asked,
    content_text,
    prompt_text,
    question_text,
    scores_of,
    shown_order,
    shown_question,
    token_bytes,
)
from engine.importers.recorded import (
    NOTHING_WRITTEN,
    Text,
    Token,
    first_distribution,
    generations,
    label_logprobs,
    laid_out,
    named_option,
    number_of,
    positions_of,
    several,
)
from engine.questions import Option, Question
from engine.readings import read_probe
from engine.records import FinishReason, Positions, ProbeResult
from engine.rendered import RecordedPrompt
from engine.rows import RecordedProbe
from engine.shapes import LABELS

_NO_LOGS = ("eval-set.json", "listing.json", "logs.json")
"""What else lies in the folders of logs."""

_ENDINGS: dict[str, FinishReason] = {
    "stop": "stop",
    "max_tokens": "length",
    "model_length": "length",
    "length": "length",
}
_SAMPLER = ("temperature", "top_p", "top_k")
_KEPT = (
    "run_id",
    "eval_id",
    "created",
    "task_version",
    "task_args",
    "dataset",
    "model_args",
    "model_generate_config",
    "config",
    "packages",
    "revision",
)
_MESSAGES = (
    "Prompts are the messages with their roles: what the chat template made of them is not in the "
    "log."
)


def read_inspect(paths: Sequence[str]) -> list[ImportedRun]:
    """Read logs; each becomes one run.

    Raises:
        LogError: One can't be read; the sentence names it and says why.
    """
    named = {Path(path) for path in paths}
    files = files_in(paths, "*.eval", "*.json", what="inspect logs (*.eval, *.json)")
    return [_run(path) for path in files if path in named or path.name not in _NO_LOGS]


def _run(path: Path) -> ImportedRun:
    log = read_log(path)
    if not log.samples:
        raise LogError(f"{path} holds no samples.", "Name a log with samples.")
    with laid_out(str(path), KIND):
        return _imported(path, _Reader(log))


def _imported(path: Path, reader: _Reader) -> ImportedRun:
    about, plan = reader.log.header["eval"], reader.log.header.get("plan")
    probes = reader.probes()
    return ImportedRun(
        name=f"{KIND} · {about['task']}",
        model=str(about["model"]),
        source=str(path),
        questions=list(reader.questions.values()),
        probes=probes,
        settings={
            **{key: about[key] for key in _KEPT if key in about},
            "plan": plan,
            "status": reader.log.header.get("status"),
            "settings": {"sampler": reader.sampler()},
        },
        tokens=reader.tokens.entries(),
        notes=tuple(reader.notes()),
    )


class _Reader:
    """Makes the probes of one log, and remembers what a user should know."""

    def __init__(self, log: Log) -> None:
        self.questions: dict[str, Question] = {}
        self.tokens = TokenNumbers()
        self.log = log
        self._plan = log.header.get("plan") or {}
        self._counts: dict[str, int] = defaultdict(int)
        self._texts = 0

    def probes(self) -> list[RecordedProbe]:
        """One probe a question and order of its options, the epochs taken together."""
        groups: dict[tuple[str, tuple[int, ...]], list[Asked]] = defaultdict(list)
        for place, sample in _sorted(self.log):
            with laid_out(place, KIND):
                asked = self._asked(place, sample)
            groups[str(sample["id"]), asked.permutation].append(asked)
        self._texts = max(
            sum(len(_choices(asked.sample)) for asked in group) for group in groups.values()
        )
        indices: dict[str, int] = {}
        orders: dict[str, list[tuple[int, ...]]] = {}
        probes = []
        for (name, permutation), group in groups.items():
            index = indices.setdefault(name, len(indices))
            known = orders.setdefault(name, [tuple(sorted(permutation))])
            if permutation not in known:
                known.append(permutation)
            with laid_out(group[0].place, KIND):
                probes.append(self._probe(group, index, known.index(permutation)))
        return probes

    def sampler(self) -> dict[str, float]:
        """How the texts were drawn, as far as the log says it."""
        config = self._config(self.log.samples[0][1])
        found = {name: number_of(config.get(name)) for name in _SAMPLER}
        return {name: value for name, value in found.items() if value is not None}

    def notes(self) -> Iterator[str]:
        """Sentences about what was left out or is not recorded."""
        yield _MESSAGES
        yield from _ending(self.log)
        temperature = self.sampler().get("temperature")
        if temperature is None and self._texts <= 1:
            yield (
                "The temperature is not recorded; the one text of each question is read as its "
                "greedy text, which it may not be."
            )
        elif temperature is None:
            yield "The temperature is not recorded; the texts are samples."
        sentences = {
            "no options": (
                "One question has no options; its text is kept, and what the scorer said of it.",
                "{} questions have no options; their texts are kept, and what the scorer said.",
            ),
            "several targets": (
                "One question has several right options; the first counts as gold.",
                "{} questions have several right options; the first counts as gold.",
            ),
            "errors": (
                "One sample ended in an error.",
                "{} samples ended in an error.",
            ),
        }
        for code, count in self._counts.items():
            yield several(count, *sentences[code])
        if any((step.get("params") or {}).get("shuffle") for step in self._steps()):
            yield (
                "The solver shuffled the options, and inspect rewrote prompts and answers that it "
                "understood to the order of the data set: such texts are not what the model wrote."
            )

    def _steps(self) -> list[Record]:
        return list(self._plan.get("steps") or [])

    def _config(self, sample: Record) -> Record:
        """How a text was asked for: the call itself, else what the log says of all."""
        calls = [event.get("config") or {} for event in sample["events"]]
        general = self.log.header["eval"].get("model_generate_config") or {}
        return {**general, **(self._plan.get("config") or {}), **(calls[-1] if calls else {})}

    def _count(self, code: str, is_so: bool) -> None:
        if is_so:
            self._counts[code] += 1

    def _asked(self, place: str, sample: Record) -> Asked:
        choices = [content_text(choice) for choice in sample.get("choices") or []]
        options = tuple(
            Option(LABELS[i] if i < len(LABELS) else str(i - len(LABELS) + 1), text)
            for i, text in enumerate(choices)
        )
        target = sample["target"]
        targets = [target] if isinstance(target, str) else [str(each) for each in target]
        golds = [label for each in targets if (label := named_option(each, options))]
        metadata = sample.get("metadata") or {}
        about = self.log.header["eval"]
        question = Question(
            text=question_text(sample["input"]),
            options=options,
            gold=golds[0] if golds else None,
            subject=str(metadata.get("subject") or ""),
            dataset=str((about.get("dataset") or {}).get("name") or about["task"]),
        )
        if question.id not in self.questions:
            self.questions[question.id] = question
            self._count("several targets", len(golds) > 1)
            self._count("no options", not options)
        self._count("errors", bool(sample.get("error")))
        return Asked(question, shown_order(choices, prompt_text(sample)), sample, place)

    def _probe(self, group: Sequence[Asked], index: int, order: int) -> RecordedProbe:
        source, permutation, sample, _ = group[0]
        shown = shown_question(source, permutation)
        temperature = number_of(self._config(sample).get("temperature"))
        greedy = temperature == 0 or (temperature is None and self._texts <= 1)
        texts = [text for asked in group for text in self._written(asked.sample)]
        tokens = next((each.positions for each in texts if len(each.positions)), NOTHING_WRITTEN)
        first = first_distribution(tokens, greedy=temperature == 0)
        result = ProbeResult(
            first=first,
            label_logprobs=label_logprobs(shown.labels, first, self.tokens),
            spellings=[],
            continuations=[],
            generations=generations(texts, greedy=greedy),
            seconds=None,
        )
        return RecordedProbe(
            question_index=index,
            question=shown,
            question_id=source.id,
            permutation=permutation,
            prompt=RecordedPrompt(self._format(), order, prompt_text(sample), chat=True),
            result=result,
            readings=read_probe(shown, result, self.tokens.raw),
            scores=list(scores_of(group, self.log.header.get("reductions") or [])),
        )

    def _format(self) -> str:
        """The solvers that asked."""
        solvers = [str(step["solver"]).rpartition("/")[2] for step in self._steps()]
        return " + ".join(solvers) or str(self.log.header["eval"]["task"])

    def _written(self, sample: Record) -> Iterator[Text]:
        """What the model wrote in one epoch; several texts only where that was asked for."""
        choices = _choices(sample)
        for place, choice in enumerate(choices):
            yield Text(
                number=(int(sample["epoch"]) - 1) * len(choices) + place + 1,
                text=content_text(choice["message"].get("content")),
                finish_reason=_ENDINGS.get(str(choice.get("stop_reason"))),
                positions=self._positions(choice.get("logprobs") or {}),
            )

    def _positions(self, logprobs: Record) -> Positions:
        written = [
            Token(
                token_bytes(entry),
                float(entry["logprob"]),
                [
                    (token_bytes(top), float(top["logprob"]))
                    for top in entry.get("top_logprobs") or []
                ],
            )
            for entry in logprobs.get("content") or []
        ]
        return positions_of(written, self.tokens)


def _choices(sample: Record) -> list[Record]:
    """The texts of one sample, as the model's service calls them."""
    return list((sample.get("output") or {}).get("choices") or [])


def _sorted(log: Log) -> list[tuple[str, Record]]:
    """In the order of the data set, a question's epochs one after the other."""
    listed = (log.header["eval"].get("dataset") or {}).get("sample_ids") or []
    place = {str(name): index for index, name in enumerate(listed)}
    for _, sample in log.samples:
        place.setdefault(str(sample["id"]), len(place))
    return sorted(log.samples, key=lambda each: (place[str(each[1]["id"])], each[1]["epoch"]))


def _ending(log: Log) -> Iterator[str]:
    """How an evaluation ended that did not succeed."""
    status = log.header.get("status")
    if status == "success":
        return
    expected = (log.header["eval"].get("dataset") or {}).get("sample_ids") or []
    epochs = (log.header["eval"].get("config") or {}).get("epochs") or 1
    planned = len(expected) * epochs
    held = f"{len(log.samples):,} of {planned:,} samples" if planned else "its samples so far"
    how = {
        "started": "The evaluation had not ended when the log was written",
        "cancelled": "The evaluation was cancelled",
        "error": "The evaluation ended in an error",
    }.get(str(status), f"The evaluation has the status {status!r}")
    said = (log.header.get("error") or {}).get("message") or ""
    reason = f" ({said.splitlines()[0][:200]})" if said.strip() else ""
    yield f"{how}{reason}: the log holds {held}."
