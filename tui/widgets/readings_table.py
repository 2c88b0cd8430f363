"""The readings of a probe as rows: what each says, how sure it is, and by which rule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.text import Text

from engine.browse import ProbeView
from engine.readings import Reading
from tui import words
from tui.texts import TEXT_READINGS
from tui.widgets.figures import NOT_RECORDED
from tui.widgets.line_view import RowView
from tui.widgets.token_text import fit

NAMES = {
    "first_token": "first token",
    "first_token_spellings": "all spellings",
    "vocab_argmax": "top token",
    "first_nonblank": "1st non-blank",
    "answer_position": "at answer",
    "answer_position_options": "at a., labels",
    "label_continuation": "whole label",
    "continuation": "continuation",
    "continuation_per_token": "· per token",
    "continuation_per_character": "· per char.",
    "continuation_per_byte": "· per byte",
    "continuation_unconditional": "· less prior",
    "exact_match": "exact match",
    "quasi_exact_match": "quasi-exact",
    "label_match": "label match",
    "greedy_text": "greedy text",
    "majority": "majority",
}
_KINDS = {"sample_text": "sample", "extra_text": "extra", "branch_text": "branch"}
NAME_CELLS = 14
RULE_COLUMNS = 66
"""Columns from which the rule has a column of its own."""


def name_of(reading: Reading) -> str:
    """What the table calls a reading."""
    if reading.name in TEXT_READINGS:
        return f"{_KINDS[reading.name]} {abs(reading.sample or 0)}"
    return NAMES[reading.name]


def says(reading: Reading, view: ProbeView) -> str:
    """The answer with the option's text, or what was found instead of one."""
    texts = {option.label: words.one_line(option.text) for option in view.question.options}
    if reading.status == "several":
        return f"several: {', '.join(reading.labels)}"
    if reading.label is None:
        return words.answer(reading.status, None)
    answer = f"{reading.label} {texts.get(reading.label, '')}".rstrip()
    return (
        answer if reading.status == "option" else f"{words.answer(reading.status, None)} = {answer}"
    )


class _Line(NamedTuple):
    """One row of the table.

    Attributes:
        name: What it is.
        reading: What it says; None for what a log's scorer says, which is no reading.
        says: That in words.
        detail: What else is known of it.
        decided: Whether a person said so.
    """

    name: str
    reading: Reading | None
    says: str
    detail: str
    decided: bool = False


class ReadingsTable(RowView):
    """One row a reading; the row under the cursor tells its rule and its span as well."""

    HELP_TITLE = "readings"
    HELP = (
        "Every way to read an answer out of this probe. conf. is how sure the reading is, "
        "margin its distance to the runner-up; both only where the reading has one. What the "
        "rule of the selected reading matched is underlined in the strip; enter goes there. What "
        "extra samples and branches say counts in no other reading and no flag. A "
        "manual override (o) stands apart and wins over the greedy text; a human label that was "
        "imported with the data wins over it too, and an override over both. What an imported "
        "log's own scorers say stands below."
    )
    BORDER_TITLE = "readings"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self._view: ProbeView | None = None
        self._shown: Sequence[_Line] = ()

    @property
    def selected(self) -> Reading | None:
        """The reading under the cursor; None while none is shown."""
        return self._shown[self.cursor].reading if self._shown else None

    def show(self, view: ProbeView) -> None:
        """Show a probe's readings; the cursor stays on the same reading, at first the text's."""
        kept = self.selected
        self._view = view
        self._shown = [*_decided(view), *_read(view), *_scored(view)]
        keys = [_key(line.reading) for line in self._shown]
        key = ("greedy_text", None) if kept is None else _key(kept)
        self.show_rows(len(keys), _last_index(keys, key if key in keys else ("greedy_text", None)))

    def follow_text(self, index: int) -> None:
        """Where a text's reading is selected, select that of this text instead; tells nobody."""
        if self.selected is not None and self.selected.name in TEXT_READINGS:
            places = [
                place
                for place, line in enumerate(self._shown)
                if line.reading is not None
                and line.reading.name in TEXT_READINGS
                and line.reading.sample == index
            ]
            if places:
                self.show_rows(self.rows, places[0])

    def copied(self) -> str:
        """The readings as tab-separated values with a header."""
        lines = ["reading\tstatus\tlabel\tconfidence\tmargin\trule\tspan"]
        for line in self._shown:
            each = line.reading
            if each is None:
                lines.append("\t".join([line.name, line.says, "", "", "", "", ""]))
                continue
            span = "" if each.span is None else f"{each.span[0]}-{each.span[1]}"
            label = ",".join(each.labels) if each.status == "several" else each.label or ""
            figures = ["" if x is None else f"{x:.6f}" for x in (each.confidence, each.margin)]
            lines.append("\t".join([line.name, each.status, label, *figures, each.rule, span]))
        return "\n".join(lines)

    def make_header(self, columns: int) -> list[Text]:
        """The names of the columns."""
        cells = self._says_cells(columns)
        header = f"  {'reading':<{NAME_CELLS}}{fit('says', cells)}  conf marg"
        if columns >= RULE_COLUMNS:
            header += "  rule"
        return [Text(header, self.tone("dim"))]

    def make_row(self, row: int, columns: int, *, current: bool) -> list[Text]:
        """One reading; under the cursor with everything that is known of it."""
        view, shown = self._view, self._shown[row]
        assert view is not None
        reading = shown.reading
        line = Text("▸ " if current else "  ")
        line.append(fit(shown.name, NAME_CELLS), self.tone("accent" if shown.decided else "dim"))
        tone, mark = ("", "") if reading is None else _verdict(reading, view.row.gold)
        line.append(fit(mark + shown.says, self._says_cells(columns)), self.tone(tone or "strong"))
        if reading is not None:
            line.append(f"{words.probability(reading.confidence):>6}")
            line.append(f"{words.probability(reading.margin):>5}")
            if columns >= RULE_COLUMNS:
                line.append(f"  {reading.rule}", self.tone("dim"))
        line.truncate(columns, overflow="ellipsis")
        if not current:
            return [line]
        indent = "    "
        detail = Text(shown.detail, self.tone("dim"))
        wrapped = detail.wrap(self.app.console, columns - len(indent))
        return [line, *(Text(indent).append_text(each) for each in wrapped)]

    @staticmethod
    def _says_cells(columns: int) -> int:
        rule = 20 if columns >= RULE_COLUMNS else 0
        return max(6, columns - 2 - NAME_CELLS - 11 - rule)


def _decided(view: ProbeView) -> Iterator[_Line]:
    """What people say, the one who wins first."""
    if view.override is not None:
        detail = "set by hand; wins over the greedy text"
        yield _Line("override", view.override, says(view.override, view), detail, decided=True)
    if view.human_label is not None:
        label = view.human_label
        reading = Reading(
            "greedy_text", label.status, label=label.label, labels=label.labels, rule="released"
        )
        wins = "the override wins" if view.override is not None else "wins over the greedy text"
        detail = f"released as “{words.one_line(label.original)}”; {wins}"
        yield _Line("human label", reading, says(reading, view), detail, decided=True)


def _read(view: ProbeView) -> Iterator[_Line]:
    for reading in view.readings:
        yield _Line(name_of(reading), reading, says(reading, view), _detail(reading, view))


def _scored(view: ProbeView) -> Iterator[_Line]:
    for score in view.scores:
        value = NOT_RECORDED if score.value is None else f"{score.value:g}"
        answer = "" if score.answer is None else f" for “{words.one_line(score.answer)}”"
        yield _Line("log's score", None, f"{score.name} {value}{answer}", "by the log's own scorer")


def _detail(reading: Reading, view: ProbeView) -> str:
    parts = [f"rule {reading.rule}" if reading.rule else "no rule"]
    if reading.span is not None:
        parts.append(f"characters {reading.span[0]}–{reading.span[1]}")
    if reading.position is not None:
        parts.append(f"token {reading.position + 1}")
    if reading.logit is not None:
        parts.append(f"logit {reading.logit:.2f}")
    if reading.hedged:
        parts.append("hedged")
    if reading.name == "greedy_text":
        if view.override is not None:
            parts.append("the override wins")
        elif view.human_label is not None:
            parts.append("the human label wins")
    return " · ".join(parts)


def _key(reading: Reading | None) -> tuple[str, int | None]:
    return ("", None) if reading is None else (reading.name, reading.sample)


def _verdict(reading: Reading, gold: str | None) -> tuple[str, str]:
    """Tone and mark: right, wrong, no single option, or nothing to be right about."""
    if reading.status != "option":
        return "warn", "" if gold is None else "  "
    if gold is None:
        return "strong", ""
    return ("good", "✓ ") if reading.label == gold else ("bad", "✗ ")


def _last_index(keys: Sequence[tuple[str, int | None]], key: tuple[str, int | None]) -> int:
    """Where the key stands last: what people say shares its key with the reading below it."""
    return max((place for place, each in enumerate(keys) if each == key), default=0)
