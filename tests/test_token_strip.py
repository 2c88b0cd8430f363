from __future__ import annotations

import math
from typing import Any

import pytest
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from engine.spans import tokens_of_span
from tests.actions.covering import covers
from tests.question_views import greedy_of, make_view, without_positions
from tui.alignment import first_divergence, is_surprising, next_surprising
from tui.widgets.figures import bar, gauge, percent
from tui.widgets.flow import ENDING, MARK, Flow
from tui.widgets.token_strip import StripContent, TokenStrip
from tui.widgets.token_text import fit, visible, visible_bytes, visible_token

# Making tokens visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (" Paris", "·Paris"),
        ("a\n\tb\r", "a↵⇥b␍"),
        ("\x1b[31m\x00\x7f", "␛[31m␀␡"),
        ("a\u00a0b", "a⟨NBSP⟩b"),
        ("👨\u200d👩", "👨⟨ZWJ⟩👩"),
        ("\u202eabc", "⟨RLO⟩abc"),
        ("e\u0301", "e\u0301"),
        ("\u0301", "◌\u0301"),
        ("你好", "你好"),
    ],
)
def test_every_character_is_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_glyph_never_stands_for_itself() -> None:
    assert visible("a·b↵⟨") == "a⟨U+B7⟩b⟨U+21B5⟩⟨U+27E8⟩"


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"\xe4\xbd", "⟨e4 bd⟩"),
        (b"\xa0", "⟨a0⟩"),
        (b"ok\xe4\xbd", "ok⟨e4 bd⟩"),
        (b"\xa0\xe5\xa5", "⟨a0⟩⟨e5 a5⟩"),
        ("é ".encode(), "é·"),
    ],
)
def test_half_characters_are_shown_as_bytes(raw: bytes, shown: str) -> None:
    assert visible_bytes(raw) == shown


def test_tokens_are_named() -> None:
    assert visible_token(5, ("Ġthe", b" the", False)) == "·the"
    assert visible_token(5, ("<|im_end|>", b"<|im_end|>", True)) == "<|im_end|>"
    assert visible_token(5, ("<s>", b"", True)) == "<s>"
    assert visible_token(5, (None, b"", False)) == "⟨id 5⟩"
    assert visible_token(5, None) == "⟨id 5⟩"


@pytest.mark.parametrize("cells", range(1, 12))
def test_fit_takes_exactly_the_cells(cells: int) -> None:
    for text in ("", "abc", "你好你好", "a你b好"):
        assert cell_len(fit(text, cells)) == cells


# Figures


@pytest.mark.parametrize(
    ("probability", "shown"),
    [
        (1.0, "100.0%"),
        (0.99996, ">99.9%"),
        (0.712, "71.2%"),
        (0.0034, "0.34%"),
        (1e-7, "<0.01%"),
        (0.0, "0%"),
    ],
)
def test_percent_never_rounds_to_certainty(probability: float, shown: str) -> None:
    assert percent(probability) == shown
    assert len(shown) <= 6


def test_bars_and_gauges() -> None:
    assert bar(1.0, 4) == "████"
    assert bar(0.5, 3) == "█▌ "
    assert bar(1e-9, 4) == "▏   "
    assert bar(0.0, 4) == "    "
    assert [gauge(p) for p in (0.0, 0.5, 1.0)] == ["▁", "▅", "█"]


# Flowing


def test_tokens_wrap_whole() -> None:
    flow = Flow(["abc", "de", "fgh"], 6)
    assert [[piece.text for piece in line] for line in flow.lines] == [["abc", "de"], ["fgh"]]
    assert flow.first_lines == [0, 0, 1]


def test_newlines_end_lines() -> None:
    flow = Flow(["a↵↵b", "c↵"], 10, ending="■")
    texts = ["".join(piece.text for piece in line) for line in flow.lines]
    assert texts == ["a↵", "↵", "bc↵", "■"]
    assert list(flow.line_range(0)) == [0, 1, 2]
    assert flow.lines[3][0].token == ENDING


def test_a_token_wider_than_a_line_is_cut() -> None:
    flow = Flow(["x" * 25, "你好"], 10)
    assert [sum(piece.cells for piece in line) for line in flow.lines] == [10, 10, 9]
    assert list(flow.line_range(0)) == [0, 1, 2]


def test_wide_characters_never_stand_over_the_edge() -> None:
    flow = Flow(["你好你好你"], 5)
    assert ["".join(p.text for p in line) for line in flow.lines] == ["你好", "你好", "你"]


def test_a_mark_stays_with_its_token() -> None:
    flow = Flow(["abcd", "ef"], 6, {1: "◆"})
    assert [[piece.token for piece in line] for line in flow.lines] == [[0], [MARK, 1]]


def test_cells_map_to_tokens() -> None:
    flow = Flow(["你", "a", "bcd"], 4, {1: "◆"})
    assert [flow.token_at(0, column) for column in range(4)] == [0, 0, 0, 1]
    assert flow.token_at(1, 99) == 2
    assert flow.token_at(2, 0) is None
    assert [flow.column_of(token) for token in range(3)] == [0, 3, 0]


# Where generations part, what surprises, what a span covers


def test_first_divergence() -> None:
    assert first_divergence([1, 2, 3], [1, 9, 3]) == 1
    assert first_divergence([1, 2], [1, 2, 3]) == 2
    assert first_divergence([1, 2], [1, 2]) is None
    assert first_divergence([], [1]) == 0


def test_surprise() -> None:
    assert is_surprising(2, -0.1)
    assert is_surprising(1, math.log(0.19))
    assert not is_surprising(1, math.log(0.21))


def test_next_surprising_goes_round() -> None:
    positions = make_view(0).generations[1].positions
    expected = [
        index
        for index, (rank, logprob) in enumerate(
            zip(positions.ranks, positions.logprobs, strict=True)
        )
        if is_surprising(rank, logprob)
    ]
    assert expected
    assert next_surprising(positions, len(positions) - 1) == expected[0]
    assert next_surprising(positions, expected[-1]) == expected[0]


def test_a_span_covers_tokens() -> None:
    raw = [b" The", b" answer", b" is", b" B", b".", b"<|end|>"]
    text = " The answer is B."
    assert tokens_of_span(raw, text, (text.index("B"), text.index("B") + 1)) == (3, 4)
    assert tokens_of_span(raw, text.lstrip(), (0, 3)) == (0, 1)
    assert tokens_of_span(raw, "another text", (0, 3)) is None
    assert tokens_of_span(raw, text, (3, 3)) is None


def test_a_span_covers_both_halves_of_a_character() -> None:
    raw = [b"a", b"\xe4\xbd", b"\xa0", b"b"]
    assert tokens_of_span(raw, "a你b", (1, 2)) == (1, 3)


# The widget


class StripApp(App[None]):
    CSS_PATH = "../tui/screens/question.tcss"
    CSS = "TokenStrip { height: 1fr; }"

    def __init__(self, content: StripContent, **shown: Any) -> None:
        super().__init__()
        self.content, self.shown = content, shown
        self.moves: list[int] = []

    def compose(self) -> ComposeResult:
        yield TokenStrip()

    def on_mount(self) -> None:
        self.strip.show(self.content, **self.shown)
        self.strip.lead(True)

    def on_token_strip_moved(self, event: TokenStrip.Moved) -> None:
        self.moves.append(event.token)

    async def click(self, pilot: Pilot[None], x: int, y: int) -> None:
        """Click a cell of the strip's content."""
        left, top = self.strip.content_offset
        await pilot.click(TokenStrip, offset=(x + left, y + top))

    @property
    def strip(self) -> TokenStrip:
        return self.query_one(TokenStrip)

    def lines(self, count: int) -> list[str]:
        return [self.strip.render_line(y).text.rstrip() for y in range(count)]


def content_of(*texts: str, probability: float = 0.5, **rest: Any) -> StripContent:
    return StripContent(tuple(texts), logprobs=(math.log(probability),) * len(texts), **rest)


async def paused(pilot: Pilot[None]) -> StripApp:
    await pilot.pause()
    assert isinstance(pilot.app, StripApp)
    return pilot.app


async def test_lines_are_filled_and_styled() -> None:
    content = content_of("Hello", "·你好", "⟨e4 bd⟩", "↵", "x", ending=" ■ stop")
    async with StripApp(content).run_test(size=(24, 6)) as pilot:
        app = await paused(pilot)
        assert app.lines(3) == ["Hello·你好⟨e4 bd⟩↵", "x ■ stop", ""]
        for y in range(6):
            line = app.strip.render_line(y)
            assert line.cell_length == app.strip.size.width
            assert all(segment.style and segment.style.bgcolor for segment in line)


async def test_bars_stand_under_their_tokens() -> None:
    content = StripContent(("ab", "你"), logprobs=(0.0, math.log(0.3)), ending="■")
    async with StripApp(content).run_test(size=(20, 6)) as pilot:
        app = await paused(pilot)
        app.strip.show_gauges(True)
        assert app.lines(2) == ["ab你■", "██▃▃"]


async def test_no_bar_where_no_probability_is_known() -> None:
    async with StripApp(StripContent(("ab", "cd"))).run_test(size=(20, 6)) as pilot:
        app = await paused(pilot)
        app.strip.show_gauges(True)
        assert app.lines(2) == ["abcd", ""]


async def test_unlikely_special_matched_and_cursor_tokens_look_different() -> None:
    logprobs = tuple(map(math.log, (0.5, 0.95, 0.05, 0.95, 0.95)))
    content = StripContent(("a", "b", "c", "d", "<e>"), frozenset({4}), logprobs)
    async with StripApp(content, span=(3, 4)).run_test(size=(20, 6)) as pilot:
        app = await paused(pilot)
        cursor, likely, unlikely, matched, special = list(app.strip.render_line(0))[:5]
        styles = [segment.style for segment in (cursor, likely, unlikely, matched, special)]
        assert len(set(styles)) == 5
        assert matched.style is not None
        assert matched.style.underline


async def test_the_divergence_is_marked() -> None:
    async with StripApp(content_of("a", "b"), divergence=1).run_test(size=(20, 6)) as pilot:
        app = await paused(pilot)
        assert app.lines(1) == ["a◆b"]


async def test_moving_redraws_only_the_lines_it_touches(monkeypatch: pytest.MonkeyPatch) -> None:
    async with StripApp(content_of(*["word"] * 1000)).run_test(size=(23, 12)) as pilot:
        app = await paused(pilot)
        redrawn: list[tuple[int, int]] = []
        whole: list[object] = []
        monkeypatch.setattr(app.strip, "refresh_lines", lambda *lines: redrawn.append(lines))
        monkeypatch.setattr(app.strip, "refresh", lambda *args, **_: whole.append(args))
        app.strip.put_cursor(7)
        assert redrawn == [(0, 1), (1, 1)]  # five words a line
        assert whole == []


async def test_the_cursor_is_scrolled_to() -> None:
    async with StripApp(content_of(*["word"] * 10_000)).run_test(size=(40, 12)) as pilot:
        app = await paused(pilot)
        app.strip.put_cursor(9_999)
        await pilot.pause()
        last = app.strip.render_line(app.strip.size.height - 1)
        assert app.strip.token_at(len(last.text.rstrip()) - 1, app.strip.size.height - 1) == 9_999


@covers("strip.page_up", "strip.page_down")
async def test_up_down_and_pages_keep_the_column() -> None:
    async with StripApp(content_of(*["ab"] * 200)).run_test(size=(23, 6)) as pilot:
        app = await paused(pilot)
        per_line = 10
        app.strip.focus()
        app.strip.put_cursor(3)
        await pilot.press("down", "down", "up")
        assert app.moves == [13, 23, 13]
        await pilot.press("pagedown")
        assert app.moves[-1] == 13 + (app.strip.size.height - 1) * per_line
        await pilot.press("pageup", "pageup")
        assert app.moves[-1] == 3


async def test_a_click_maps_to_the_token_under_it() -> None:
    texts = ["你好", "ab", "⟨e4 bd⟩", "c↵", "de"]
    async with StripApp(content_of(*texts), divergence=2).run_test(size=(30, 6)) as pilot:
        app = await paused(pilot)
        for x, y, token in ((0, 0, 0), (3, 0, 0), (4, 0, 1), (7, 0, 2), (14, 0, 3), (1, 1, 4)):
            await app.click(pilot, x, y)
            assert app.moves[-1] == token


async def test_clicks_follow_bars_and_scrolling() -> None:
    async with StripApp(content_of(*["ab"] * 200)).run_test(size=(23, 6)) as pilot:
        app = await paused(pilot)
        app.strip.show_gauges(True)
        app.strip.scroll_to(y=4, animate=False)
        await pilot.pause()
        await app.click(pilot, 2, 3)
        assert app.moves == [(4 + 3) // 2 * 10 + 1]


async def test_a_resize_flows_again() -> None:
    async with StripApp(content_of(*["abcd"] * 6)).run_test(size=(27, 6)) as pilot:
        app = await paused(pilot)
        assert len(app.lines(1)[0]) == 24
        await pilot.resize_terminal(15, 6)
        await pilot.pause()
        assert app.lines(3) == ["abcdabcdabcd", "abcdabcdabcd", ""]


async def test_a_text_without_tokens_has_no_cursor() -> None:
    view = without_positions(make_view(1))
    content = StripContent.of(view.generations[0], view.tokens)
    assert "".join(content.texts) == visible(view.generations[0].text)
    async with StripApp(content).run_test(size=(40, 6)) as pilot:
        app = await paused(pilot)
        await app.click(pilot, 1, 0)
        await pilot.press("down")
        assert app.moves == []
        assert app.lines(1)[0].startswith(visible(view.generations[0].text)[:8])


def test_content_of_a_stored_generation() -> None:
    view = make_view(2)
    generation = greedy_of(view)
    content = StripContent.of(generation, view.tokens)
    assert content.texts[-1] == "<|im_end|>"
    assert len(content.texts) - 1 in content.special
    assert content.ending == " ■ stop"
    assert content.logprobs == tuple(generation.positions.logprobs)
