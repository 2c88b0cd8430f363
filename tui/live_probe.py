"""What was asked of a probe while the model answers: what is known so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.protocol import FirstToken, Loading, Note, Wrote
from tui.asking import Branch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from textual.message_pump import MessagePump

    from engine.lab import LabEvent
    from engine.records import Distribution
    from tui.asking import Ask
    from tui.session import Session
    from tui.widgets.token_text import TokenEntry

LIVE_INTERVAL = 1 / 15
"""Seconds between two drawings of what the model writes."""


class LiveProbe:
    """What the worker said about one thing that is asked.

    Attributes:
        ask: What is asked, of which probe.
        stage: What is happening, in words.
        first: The first distribution, once it is there.
        label_logprobs: Raw logprob of each label's token, in the order of the options.
        token_ids: The tokens so far of each text: greedy and samples, new samples, or the branch.
        ended: Places in ``token_ids`` of the generations that are at their end.
        tokens: What is known of the token ids, as in :class:`engine.browse.ProbeView`.
        drawing: Whether a drawing of it is under way.
    """

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self.stage = "starting the model"
        self.first: Distribution | None = None
        self.label_logprobs: list[float] = []
        self.token_ids = [list(ask.beginning)] if isinstance(ask, Branch) else []
        self.ended: set[int] = set()
        self.tokens: dict[int, TokenEntry] = {}
        self.drawing = False

    def see(self, event: LabEvent) -> None:
        """Take in one event."""
        match event:
            case Loading(stage=stage):
                self.stage = stage
            case Note(sentence=sentence):
                self.stage = sentence
            case FirstToken(first=first, label_logprobs=label_logprobs):
                self.stage = "writing"
                self.first, self.label_logprobs = first, label_logprobs
            case Wrote(step=step, token_ids=token_ids):
                self._write(step, token_ids)
            case _:
                pass

    @property
    def probe_id(self) -> int:
        """The probe it is about."""
        return self.ask.probe_id

    def unknown(self) -> list[int]:
        """The token ids seen so far that are not among ``tokens``."""
        seen = {token_id for ids in self.token_ids for token_id in ids}
        if self.first is not None:
            seen.update(self.first.top_ids)
        return sorted(token_id for token_id in seen if token_id not in self.tokens)

    def draw_soon(
        self, drawn_by: MessagePump, draw: Callable[[], object], *, at_once: bool
    ) -> None:
        """Have it drawn, at once or with whatever else is said until the next drawing is due."""
        if at_once:
            drawn_by.call_later(draw)
        elif not self.drawing:
            self.drawing = True
            drawn_by.set_timer(LIVE_INTERVAL, draw)

    async def look_up(self, session: Session, run_id: int) -> None:
        """Find out what every token id seen so far stands for, those seen meanwhile too."""
        while unknown := self.unknown():
            self.learn(await session.tokens(run_id, unknown), unknown)

    def learn(self, entries: Mapping[int, TokenEntry], asked: Iterable[int]) -> None:
        """Take in what token ids stand for; an id asked for in vain is one nobody knows."""
        for token_id in asked:
            self.tokens[token_id] = entries.get(token_id, (None, b"", False))

    def _write(self, step: int, token_ids: list[int | None]) -> None:
        self.stage = "writing"
        while len(self.token_ids) < len(token_ids):
            self.token_ids.append([])
        for written, (place, token_id) in zip(self.token_ids, enumerate(token_ids), strict=False):
            if token_id is None:
                self.ended.add(place)
            elif step >= len(written):  # What a branch begins with is there from the start.
                written.append(token_id)
