"""The options at the first position: labels, spellings, mass on and off them, continuations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.text import Text

from engine.browse import ProbeView
from engine.questions import Option
from engine.records import Continuation, Spelling
from tui import words
from tui.widgets.distribution import CHOSEN_MARK
from tui.widgets.figures import NOT_RECORDED, bar, logprob_percent, percent
from tui.widgets.line_view import LineView
from tui.widgets.token_text import ELLIPSIS, visible

_SHOWN_ALONE = math.log(0.0001)
"""Logprob from which a spelling has a figure of its own."""


@dataclass(frozen=True)
class OptionData:
    """One option and what was measured of it.

    Attributes:
        option: Label and text.
        probability: Of its label's token under the full softmax; None where not recorded.
        restricted: The same, renormalised over the options' labels; None unless all are known.
        logit: Raw logit of its label's token, where an imported log has no probability.
        spellings: Ways to write its label, likeliest first.
        continuations: Its label and its text as forced continuations.
    """

    option: Option
    probability: float | None
    restricted: float | None
    logit: float | None
    spellings: Sequence[Spelling]
    continuations: Sequence[Continuation]


def option_data(
    view: ProbeView, probabilities: Sequence[tuple[str, float]] | None = None
) -> list[OptionData]:
    """The options of a probe, in the order shown.

    Args:
        view: The probe.
        probabilities: Label and full-softmax probability of each; by default those stored.
    """
    live = probabilities is not None
    full = dict(view.row.option_probabilities if probabilities is None else probabilities)
    whole = len(full) == len(view.question.options)
    total = math.fsum(full.values()) if whole else 0.0
    logits = dict(zip(view.question.labels, view.label_logits, strict=False))
    return [
        OptionData(
            option,
            full.get(option.label),
            full[option.label] / total if option.label in full and total > 0 else None,
            logits.get(option.label),
            []
            if live
            else sorted(
                (each for each in view.spellings if each.label == option.label),
                key=lambda each: -each.logprob,
            ),
            [] if live else [each for each in view.continuations if each.label == option.label],
        )
        for option in view.question.options
    ]


def spelled_mass(spellings: Sequence[Spelling]) -> float:
    """Probability that the first token is, or begins, any spelling of any label.

    Spellings that share their first token are counted once.
    """
    return math.fsum({each.token_id: math.exp(each.logprob) for each in spellings}.values())


class OptionsPanel(LineView):
    """Every option with its probabilities, the spellings of its label and its log-likelihoods."""

    HELP_TITLE = "options"
    HELP = (
        "The options at the first position. options is the probability of the label's token "
        "among the labels only, full under the whole vocabulary. Below: every spelling of the "
        "label with its token id and probability (… marks a token that only begins the "
        "spelling), and the log-likelihood of the option's text and label as continuations of "
        "the prompt, in total and per token; ▶ marks one that is what greedy decoding writes."
    )
    BORDER_TITLE = "options, first position"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self._options: list[OptionData] = []
        self._spellings: Sequence[Spelling] = ()

    def show(
        self, view: ProbeView, probabilities: Sequence[tuple[str, float]] | None = None
    ) -> None:
        """Show a probe's options, with the live probabilities where they are given."""
        self._options = option_data(view, probabilities)
        self._spellings = () if probabilities is not None else view.spellings
        self.scroll_to(y=0, animate=False, force=True)
        self.remake()

    def make_lines(self, columns: int) -> list[Text]:
        """The mass on the options, then a block an option."""
        lines = self._mass(columns)
        for data in self._options:
            lines += self._option(data, columns)
        for line in lines:
            line.truncate(columns, overflow="ellipsis")
        return lines

    def _mass(self, columns: int) -> list[Text]:
        known = [each.probability for each in self._options if each.probability is not None]
        if not known:
            return [Text(f"label probabilities {NOT_RECORDED}", self.tone("dim"))]
        if len(known) < len(self._options):
            missing = len(self._options) - len(known)
            sentence = f"{missing} of {len(self._options)} labels {NOT_RECORDED}"
            return [Text(sentence, self.tone("dim"))]
        on = math.fsum(known)
        lines = [self._share("on the labels' tokens", on, columns)]
        if self._spellings:
            spelled = spelled_mass(self._spellings)
            lines.append(self._share("on any spelling", spelled, columns))
            lines.append(self._share("off the options", max(0.0, 1 - spelled), columns))
        else:
            lines.append(self._share("off the labels", max(0.0, 1 - on), columns))
        return lines

    def _share(self, name: str, mass: float, columns: int) -> Text:
        cells = max(4, columns - 22 - 8)
        return Text.assemble(
            (f"{name:<22}", self.tone("dim")),
            f"{percent(mass):>6} ",
            (bar(mass, cells), self.tone("accent")),
        )

    def _option(self, data: OptionData, columns: int) -> list[Text]:
        title = Text.assemble(
            (data.option.label, self.tone("strong")), f" {words.one_line(data.option.text)}"
        )
        lines = [title, self._probabilities(data, columns)]
        lines += self._spelled(data, columns)
        lines += [self._continuation(each) for each in data.continuations]
        return lines

    def _probabilities(self, data: OptionData, columns: int) -> Text:
        if data.probability is None and data.logit is not None:
            return Text.assemble(("  logit ", self.tone("dim")), f"{data.logit:.2f}")
        if data.probability is None:
            return Text(f"  {NOT_RECORDED}", self.tone("dim"))
        line = Text("  ")
        line.append("options ", self.tone("dim"))
        line.append("–" if data.restricted is None else f"{percent(data.restricted):>6}")
        line.append("  full ", self.tone("dim"))
        line.append(f"{percent(data.probability):>6} ")
        line.append(bar(data.restricted or 0.0, max(3, columns - 32)), self.tone("accent"))
        return line

    def _spelled(self, data: OptionData, columns: int) -> list[Text]:
        """The spellings, as many on a line as fit; those next to impossible share a figure."""
        items = []
        for likely, group in groupby(data.spellings, lambda each: each.logprob >= _SHOWN_ALONE):
            made = [self._spelling(each, alone=likely) for each in group]
            if not likely:
                made[0] = Text("  <0.01%:").append_text(made[0][1:])
            items += made
        lines: list[Text] = []
        for item in items:
            if not lines or lines[-1].cell_len + item.cell_len > columns:
                lines.append(item)
            else:
                lines[-1].append_text(item)
        return lines

    def _spelling(self, each: Spelling, *, alone: bool) -> Text:
        item = Text("  ")
        item.append(f"“{visible(each.spelling)}”", self.tone("code"))
        item.append(f" {each.token_id}{'' if each.whole else ELLIPSIS}", self.tone("dim"))
        if alone:
            item.append(f" {logprob_percent(each.logprob)}")
        return item

    def _continuation(self, each: Continuation) -> Text:
        line = Text(f"{CHOSEN_MARK if each.is_greedy else ' '} ")
        line.append(f"{each.kind:<5} Σ", self.tone("dim"))
        line.append(f"{each.total:>7.2f}")
        if each.token_ids:
            line.append(f" {each.total / len(each.token_ids):>6.2f}")
            line.append(f"/token ×{len(each.token_ids)}", self.tone("dim"))
        return line
