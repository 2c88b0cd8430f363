"""A question while the model answers it: what is known of it so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.protocol import FirstToken, Loading, Note, Wrote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from engine.protocol import Event
    from engine.records import Distribution
    from tui.widgets.token_text import TokenEntry


class LiveProbe:
    """What the worker said about one question that is being asked again.

    Attributes:
        probe_id: The probe that is asked again.
        stage: What is happening, in words.
        first: The first distribution, once it is there.
        label_logprobs: Raw logprob of each label's token, in the order of the options.
        token_ids: The tokens so far, the greedy generation first.
        ended: Places in ``token_ids`` of the generations that are at their end.
        tokens: What is known of the token ids, as in :class:`engine.browse.ProbeView`.
        drawing: Whether a drawing of it is under way.
    """

    def __init__(self, probe_id: int) -> None:
        self.probe_id = probe_id
        self.stage = "starting the model"
        self.first: Distribution | None = None
        self.label_logprobs: list[float] = []
        self.token_ids: list[list[int]] = []
        self.ended: set[int] = set()
        self.tokens: dict[int, TokenEntry] = {}
        self.drawing = False

    def see(self, event: Event) -> None:
        """Take in one event."""
        match event:
            case Loading(stage=stage):
                self.stage = stage
            case Note(sentence=sentence):
                self.stage = sentence
            case FirstToken(first=first, label_logprobs=label_logprobs):
                self.stage = "writing"
                self.first, self.label_logprobs = first, label_logprobs
            case Wrote(token_ids=token_ids):
                self._write(token_ids)
            case _:
                pass

    def unknown(self) -> list[int]:
        """The token ids seen so far that are not among ``tokens``."""
        seen = {token_id for ids in self.token_ids for token_id in ids}
        if self.first is not None:
            seen.update(self.first.top_ids)
        return sorted(token_id for token_id in seen if token_id not in self.tokens)

    def learn(self, entries: Mapping[int, TokenEntry], asked: Iterable[int]) -> None:
        """Take in what token ids stand for; an id asked for in vain is one nobody knows."""
        for token_id in asked:
            self.tokens[token_id] = entries.get(token_id, (None, b"", False))

    def _write(self, token_ids: list[int | None]) -> None:
        self.stage = "writing"
        while len(self.token_ids) < len(token_ids):
            self.token_ids.append([])
        for place, token_id in enumerate(token_ids):
            if token_id is None:
                self.ended.add(place)
            else:
                self.token_ids[place].append(token_id)
