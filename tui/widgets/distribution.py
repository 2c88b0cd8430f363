"""The next-token distribution at the cursor, before and after the sampler; a branch starts here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from rich.style import Style
from rich.text import Text

from engine.browse import ProbeView
from engine.records import Distribution, Generation, SamplerSettings
from engine.sampler_view import after_sampler
from tui.texts import name_of
from tui.widgets.figures import NOT_RECORDED, bar, logprob_percent, percent
from tui.widgets.line_view import LineView, RowView
from tui.widgets.token_text import TokenEntry, fit, visible_token

CHOSEN_MARK = "▶"
ALTERNATIVE_MARK = "↳"
CUT = "cut"
NARROW = 30
"""Columns under which token ids give way to the tokens."""

NO_RANK = "–"
"""Of a token that a log holds no rank of."""


@dataclass(frozen=True)
class PositionData:
    """One position: its distribution and what was written there.

    Attributes:
        place: Where it is, in words.
        top_ids: The kept token ids, most likely first.
        top_logprobs: Their raw logprobs.
        entropy: Of the whole raw distribution, nats; None where not recorded.
        unseen: Mass outside ``top_ids``; None where not recorded.
        vocab_size: Length of the distribution; None where it was not recorded.
        chosen: Id of the token written; None while it is not written yet.
        chosen_logprob: Its raw logprob.
        chosen_rank: Its rank, 1 for the most likely token; None where not recorded.
        after: Logprob of each kept token after the sampler, None for one that it cut. The whole
            is None where no sampler was at work.
        chosen_after: The same for the token written.
    """

    place: str
    top_ids: Sequence[int]
    top_logprobs: Sequence[float]
    entropy: float | None
    unseen: float | None
    vocab_size: int | None = None
    chosen: int | None = None
    chosen_logprob: float = -math.inf
    chosen_rank: int | None = None
    after: Sequence[float | None] | None = None
    chosen_after: float | None = None
    tokens: Mapping[int, TokenEntry] = field(default_factory=dict)

    @property
    def margin(self) -> float | None:
        """Probability of the most likely token less that of the second."""
        if len(self.top_logprobs) < 2:
            return None
        return math.exp(self.top_logprobs[0]) - math.exp(self.top_logprobs[1])

    @classmethod
    def at(cls, view: ProbeView, generation: Generation, position: int) -> PositionData | None:
        """The distribution that the generation's token at ``position`` came from.

        None where positions were not recorded or the generation ended before.
        """
        positions = generation.positions
        if not 0 <= position < len(positions):
            return None
        place = f"{name_of(generation)}, token {position + 1} of {len(positions)}"
        written = positions.sampler_logprobs
        return cls(
            f"{place}, no sampler" if generation.kind in ("greedy", "branch") else place,
            positions.top_ids[position],
            positions.top_logprobs[position],
            None if positions.entropies is None else positions.entropies[position],
            None if positions.unseen is None else positions.unseen[position],
            view.vocab_size,
            positions.token_ids[position],
            positions.logprobs[position],
            None if positions.ranks is None else positions.ranks[position],
            _after(view, generation, position),
            None if written is None else written[position],
            view.tokens,
        )

    @classmethod
    def of_first(
        cls, first: Distribution, tokens: Mapping[int, TokenEntry], vocab_size: int | None
    ) -> PositionData:
        """The distribution after the prompt, where nothing is known of what was written."""
        return cls(
            "first position",
            first.top_ids,
            first.top_logprobs,
            first.entropy,
            first.unseen,
            vocab_size,
            tokens=tokens,
        )


def _after(view: ProbeView, generation: Generation, position: int) -> Sequence[float | None] | None:
    """Logprobs after the sampler of the kept tokens; None where no sampler was at work."""
    positions = generation.positions
    logsumexps = positions.logsumexps
    if not (logsumexps and positions.sampler_logsumexps and positions.sampler_cutoffs):
        return None
    settings = SamplerSettings(
        temperature=view.sampler.get("temperature", 1.0),
        top_p=view.sampler.get("top_p", 1.0),
        top_k=int(view.sampler.get("top_k", 0)),
        repetition_penalty=view.sampler.get("repetition_penalty", 1.0),
    )
    seen: set[int] = set()
    if settings.repetition_penalty != 1.0:
        seen.update(view.prompt_ids, positions.token_ids[:position])
    return after_sampler(
        positions.top_logprobs[position],
        logsumexps[position],
        positions.top_ids[position],
        seen,
        settings,
        positions.sampler_logsumexps[position],
        positions.sampler_cutoffs[position],
    )


class DistributionView(RowView):
    """Rank, id, token, raw probability and probability after the sampler, a line a token.

    The cursor stands on a token that was not written: the alternative that a branch would take.
    """

    HELP_TITLE = "distribution"
    HELP = (
        "The most likely next tokens where the cursor stands: raw is the model's own "
        "probability, after what the sampler drew from (temperature, repetition penalty, top-k, "
        "top-p). cut is a token that the sampler excluded. ▶ is the token that was written, ↳ the "
        "alternative that b takes: up and down choose another one, enter branches off at once. "
        "Entropy is in nats; margin is the first less the second probability."
    )
    BORDER_TITLE = "distribution"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self._data: PositionData | None = None
        self._absence = ""
        self._shown: Sequence[Row] = ()

    @property
    def alternative(self) -> int | None:
        """Id of the token that a branch would take; None where there is no other than that written.

        At first it is the likeliest that was not written.
        """
        row = self._shown[self.cursor] if self._shown else None
        return None if row is None or row[1] == self._written else row[1]

    @property
    def _written(self) -> int | None:
        return None if self._data is None else self._data.chosen

    def show(self, data: PositionData | None, absence: str = "") -> None:
        """Show a position, or say why there is none."""
        self._data, self._absence = data, absence
        self._shown = () if data is None else _rows(data)
        ids = [row[1] for row in self._shown]
        first = next((place for place, each in enumerate(ids) if each != self._written), 0)
        self.show_rows(len(ids), first)
        if self._written in ids:
            place = self.sticky + ids.index(self._written)
            self.scroll_to(y=max(0, place - self.size.height + 1), animate=False, force=True)

    def _move_to(self, row: int) -> None:
        """Step over the token that was written: it is no alternative."""
        row = max(0, min(row, self.rows - 1))
        if self._shown and self._shown[row][1] == self._written:
            row += 1 if row > self.cursor else -1
        if 0 <= row < self.rows:
            super()._move_to(row)

    def copied(self) -> str:
        """The position as tab-separated values with a header."""
        data = self._data
        if data is None:
            return ""
        lines = ["rank\tid\ttoken\tlogprob\tafter_sampler"]
        for rank, token_id, logprob, after in self._shown:
            written = "" if data.after is None else CUT if after is None else f"{after:.6f}"
            text = visible_token(token_id, data.tokens.get(token_id))
            lines.append(f"{rank or ''}\t{token_id}\t{text}\t{logprob:.6f}\t{written}")
        return "\n".join(lines)

    def make_header(self, columns: int) -> Sequence[Text]:
        """Where it is, its figures, and the names of the columns."""
        data = self._data
        if data is None:
            return list(Text(self._absence, self.tone("dim")).wrap(self.app.console, columns))
        cells = _Cells.of(self._shown, columns)
        header = " " * (1 + cells.rank + 1) + (fit("id", cells.id) + " " if cells.id else "")
        header += fit("token", cells.token + 1) + " " * (cells.bar + 1)
        return [*self._caption(data, columns), Text(header + "   raw  after", self.tone("dim"))]

    def make_row(self, row: int, columns: int, *, current: bool) -> list[Text]:
        """One token."""
        data = self._data
        assert data is not None
        rank, token_id, logprob, after = self._shown[row]
        cells = _Cells.of(self._shown, columns)
        chosen = token_id == data.chosen
        probability = math.exp(logprob)
        entry = data.tokens.get(token_id)
        mark = CHOSEN_MARK if chosen else ALTERNATIVE_MARK if current else " "
        line = Text(f"{mark}{rank or NO_RANK:>{cells.rank}} ")
        if cells.id:
            line.append(f"{token_id:>{cells.id}} ", self.tone("dim"))
        token_tone = "special" if entry is not None and entry[2] else "strong"
        line.append(fit(visible_token(token_id, entry), cells.token), self.tone(token_tone))
        line.append(" ")
        line.append(bar(probability, cells.bar), self.tone("accent"))
        line.append(f" {percent(probability):>6} ")
        line.append_text(self._after(data, after))
        if chosen:
            line.stylize(self.tone("chosen"))
        return [line]

    def line_style(self, number: int) -> Style:
        """Only while it has the focus, the cursor's row has a background: else its mark will do."""
        return super().line_style(number) if self.has_focus else LineView.line_style(self, number)

    def _caption(self, data: PositionData, columns: int) -> list[Text]:
        margin = data.margin
        kept = f"top {len(data.top_ids)}"
        if data.vocab_size is not None:
            kept += f" of {data.vocab_size:,} tokens"
        lines = [
            Text(data.place, self.tone("strong")),
            Text.assemble(
                ("entropy ", self.tone("dim")),
                NOT_RECORDED if data.entropy is None else f"{data.entropy:.2f} nats",
                ("  margin ", self.tone("dim")),
                NOT_RECORDED if margin is None else percent(margin),
            ),
            Text(f"{kept}, {_unseen(data)}", self.tone("dim")),
        ]
        for line in lines:
            line.truncate(columns, overflow="ellipsis")
        return lines

    def _after(self, data: PositionData, after: float | None) -> Text:
        if data.after is None:
            return Text(f"{'–':>6}", self.tone("dim"))
        if after is None:
            return Text(f"{CUT:>6}", self.tone("warn"))
        return Text(f"{logprob_percent(after):>6}")


def _unseen(data: PositionData) -> str:
    if data.unseen is None:
        return "unseen mass not recorded"
    return f"{percent(max(0.0, data.unseen))} unseen"


Row = tuple[int | None, int, float, float | None]
"""Rank, id, raw logprob, logprob after the sampler."""


def _rows(data: PositionData) -> list[Row]:
    """The kept tokens, then a chosen one beyond them."""
    after = data.after if data.after is not None else [None] * len(data.top_ids)
    rows: list[Row] = [
        (rank, token_id, logprob, later)
        for rank, (token_id, logprob, later) in enumerate(
            zip(data.top_ids, data.top_logprobs, after, strict=True), start=1
        )
    ]
    if data.chosen is not None and data.chosen not in data.top_ids:
        rows.append((data.chosen_rank, data.chosen, data.chosen_logprob, data.chosen_after))
    return rows


class _Cells(NamedTuple):
    """How many cells each column takes; no room for an id is 0."""

    rank: int
    id: int
    token: int
    bar: int

    @classmethod
    def of(cls, rows: Sequence[Row], columns: int) -> _Cells:
        ranks = max((len(str(row[0] or NO_RANK)) for row in rows), default=1)
        ids = max((len(str(row[1])) for row in rows), default=2) if columns >= NARROW else 0
        fixed = 1 + ranks + 1 + (ids + 1 if ids else 0) + 1 + 1 + 6 + 1 + 6
        spare = max(6, columns - fixed)
        token = min(24, max(6, spare * 3 // 5), spare)
        return cls(ranks, ids, token, spare - token)
