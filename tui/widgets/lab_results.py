"""What a format does: its prompt, its answer beside the baseline's, and the pinned questions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from textual.containers import Container, Vertical

from engine.lab import Opened, Trial, Tried
from engine.lab_figures import deltas
from engine.prompt_diff import diff
from engine.protocol import FirstToken, Probed, Rendered
from engine.rendered import PromptWarning, RenderedPrompt
from tui import words
from tui.comparison import Side, live_side, probed_side, stored_side
from tui.live_probe import LiveProbe
from tui.pinned import PinnedRow, pinned_rows
from tui.widgets.comparison_view import ComparisonView
from tui.widgets.divider import Divider
from tui.widgets.pinned_view import PinnedView
from tui.widgets.prompt_diff_view import PromptDiffView
from tui.widgets.rendered_prompt import RenderedPromptView
from tui.widgets.token_text import TokenEntry

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from engine.browse import ProbeView
    from engine.lab import Lab, LabEvent
    from engine.protocol import VocabularyEntry
    from tui.asking import TryFormat


class LabResults(Container):
    """Prompt, comparison and pinned set; what was found stays until something newer is there.

    Attributes:
        baseline: What everything is compared with; None until it has been asked.
        stage: What the model is doing, in words; empty while it is at rest.
    """

    def __init__(self, view: ProbeView, lab: Lab) -> None:
        super().__init__(id="results")
        self._view = view
        self._asked = lab.asked
        self._vocabulary: Sequence[VocabularyEntry] = ()
        self._live: LiveProbe | None = None
        self._labels: Sequence[str] = ()
        self._prompt: RenderedPrompt | None = None
        self._now: Trial | None = None
        self._pinned_done = 0
        self.baseline: Trial | None = None
        self.stage = ""

    def compose(self) -> ComposeResult:
        """The prompt, in two ways; the comparison; the pinned questions."""
        with Vertical(id="rendered", classes="pane"):
            yield RenderedPromptView(id="tokens")
            yield PromptDiffView(id="diff")
        yield Divider("lab.rendered")
        texts = [option.text for option in self._view.question.options]
        yield ComparisonView(texts, stored_side(self._view))
        yield PinnedView(id="pinned")

    def on_mount(self) -> None:
        """Know the parts."""
        self._tokens = self.query_one(RenderedPromptView)
        self._diff = self.query_one(PromptDiffView)
        self._comparison = self.query_one(ComparisonView)
        self._pinned = self.query_one(PinnedView)
        self._diff.display = False
        waiting = [
            PinnedRow(
                asked.question_index,
                asked.shown.number,
                words.one_line(asked.source.text),
                asked.shown.question.gold,
                None,
                None,
                waiting=True,
            )
            for asked in self._asked
        ]
        self._pinned.show(waiting, ())

    # What the model says

    def begin(self, ask: TryFormat) -> None:
        """The model is asked in another format."""
        self._live = LiveProbe(ask)
        self._pinned_done = 0
        self.stage = self._live.stage

    def see(self, event: LabEvent) -> None:
        """Show what the worker has said so far."""
        live = self._live
        if live is None:
            return
        match event:
            case Opened(ready):
                self._vocabulary = ready.vocabulary
            case Rendered(prompt=prompt):
                self._labels = prompt.labels
                self._show_prompt(prompt, prompt.warnings)
            case Tried():
                self._show_probe(event)
                self._compare(self._side(event))
                self._wait_for_pinned()
            case Probed():
                self._pinned_done += 1
                self.stage = f"pinned {self._pinned_done} of {len(self._asked) - 1}"
            case _:
                live.see(event)
                self.stage = live.stage
                live.draw_soon(self, self._draw, at_once=isinstance(event, FirstToken))

    def _draw(self) -> None:
        live = self._live
        if live is None:
            return
        live.drawing = False
        unknown = live.unknown()
        live.learn(self._entries(unknown), unknown)
        if live.first is not None:
            self._compare(live_side(self._labels, live))

    def _wait_for_pinned(self) -> None:
        if self.baseline is not None:
            self._pinned.show(pinned_rows(self.baseline.answers, (), waiting=True), ())

    def conclude(self, trial: Trial) -> None:
        """Show a whole trial; the first one is the baseline."""
        self._rest()
        if self.baseline is None:
            self.rebase(trial)
        else:
            self._now = trial
            self._show_all()

    def rebase(self, trial: Trial) -> None:
        """Compare with this trial from now on."""
        self.baseline, self._now = trial, None
        self._vocabulary = trial.ready.vocabulary
        self._comparison.rebase(self._side(trial))
        self._show_all()

    def settle(self) -> None:
        """Show again what was found last: what was wrong meanwhile is right again."""
        if self.baseline is not None:
            self._show_all()

    def refuse_prompt(self, sentence: str) -> None:
        """Say why there is no prompt; what was found last stays, a baseline still asked comes."""
        if self.baseline is not None:
            self._rest()
        self._tokens.show_problem(sentence)

    def refuse_answer(self, sentence: str) -> None:
        """Say why there is no answer; what was found last stays."""
        self._rest()
        self._comparison.show(self._side(self._now) if self._now else None, sentence)

    def _rest(self) -> None:
        self._live = None
        self.stage = ""

    # Showing it

    def _show_all(self) -> None:
        before = self.baseline
        assert before is not None
        trial = self._now or before
        self._vocabulary = trial.ready.vocabulary
        self._show_probe(trial)
        self._comparison.show(self._side(self._now) if self._now else None)
        answers = trial.answers
        self._pinned.show(
            pinned_rows(before.answers, answers), deltas(before.answers, answers), trial.problems
        )

    def _show_probe(self, tried: Tried | Trial) -> None:
        prompt = tried.probe.prompt
        self._labels = prompt.labels
        self._show_prompt(prompt, [*prompt.warnings, *tried.found])

    def _show_prompt(self, prompt: RenderedPrompt, warnings: Sequence[PromptWarning]) -> None:
        shown = {*prompt.token_ids, *prompt.label_ids}
        self._tokens.show(prompt, self._entries(shown), warnings)
        self._prompt = prompt
        self._show_difference()

    def _show_difference(self) -> None:
        """Compare the prompts, which takes long enough to do it only where it is seen."""
        if self.baseline is not None and self._prompt is not None and self._diff.display:
            changes = diff(self.baseline.probe.prompt.text, self._prompt.text)
            self._diff.show(f"baseline {self.baseline.format.name}", "now", changes)

    def _compare(self, side: Side) -> None:
        if self.baseline is None:
            self._comparison.rebase(side)
        else:
            self._comparison.show(side)

    def _side(self, tried: Tried | Trial) -> Side:
        return probed_side(tried.probe, self._vocabulary, tried.found)

    def _entries(self, ids: Iterable[int]) -> Mapping[int, TokenEntry]:
        vocabulary = self._vocabulary
        return {
            each: (vocabulary[each].piece, vocabulary[each].raw, vocabulary[each].special)
            for each in ids
        }

    # The panes

    def toggle_diff(self) -> None:
        """Show the prompt's differences from the baseline's, or its tokens."""
        self._diff.display = not self._diff.display
        self._tokens.display = not self._diff.display
        self._show_difference()

    def toggle_tokens(self) -> None:
        """Show the prompt as text, or as tokens; its differences whole, or folded."""
        if self._diff.display:
            self._diff.toggle()
        else:
            self._tokens.toggle()
