"""Plots in characters: what is drawn stands where the numbers say, in the room there is."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from engine.studies.report import Plot, Series
from tui.plots import CROWDED, FILLS, MARKS, NOTHING, picture, ticks

FINITE = st.floats(-1e9, 1e9)
VALUES = st.none() | FINITE | st.sampled_from([math.nan, math.inf, -math.inf])
NAMES = st.text(st.characters(categories=("L", "Nd")), min_size=1, max_size=40)
KINDS = ("bars", "lines", "points")


@st.composite
def plots(draw: st.DrawFn) -> Plot:
    """Any plot that a study could return, and many that none would."""
    named = draw(st.booleans())
    series = []
    for number in range(draw(st.integers(0, 6))):
        count = draw(st.integers(0, 8))
        across = st.lists(NAMES if named else FINITE, min_size=count, max_size=count)
        upward = st.lists(VALUES, min_size=count, max_size=count)
        bounds = draw(st.booleans())
        y = tuple(draw(upward))
        pairs = draw(
            st.lists(st.tuples(FINITE, FINITE).map(sorted), min_size=count, max_size=count)
        )
        gaps = draw(st.lists(st.booleans(), min_size=count, max_size=count))
        low, high = (
            tuple(None if gap else pair[end] for pair, gap in zip(pairs, gaps, strict=True))
            if bounds
            else ()
            for end in (0, 1)
        )
        series.append(Series(f"series {number}", tuple(draw(across)), y, low, high))
    return Plot(
        draw(st.text(max_size=100)),
        draw(st.sampled_from(KINDS)),
        "across",
        "upward",
        tuple(series),
        draw(st.booleans()),
        draw(st.booleans()),
    )


def lines_of(plot: Plot, width: int = 70, height: int = 20) -> list[str]:
    return [line.plain for line in picture(plot, width, height)]


@settings(deadline=None)
@given(plots(), st.integers(24, 160), st.integers(12, 60))
def test_anything_is_drawn_within_its_width(plot: Plot, width: int, height: int) -> None:
    drawn = lines_of(plot, width, height)
    assert max(map(cell_len, drawn)) <= width
    if plot.kind != "bars" and NOTHING not in drawn:
        assert len(drawn) == height


@given(FINITE, FINITE, st.integers(2, 20))
def test_ticks_are_even_and_reach_both_ends(one: float, other: float, most: int) -> None:
    low, high = min(one, other), max(one, other)
    found = ticks(low, high, most)
    step = found[1] - found[0]
    assert 2 <= len(found) <= max(3, most)
    slack = 1e-6 * step
    assert found[0] <= low + slack
    assert found[-1] >= high - slack
    assert all(b - a == pytest.approx(step, rel=1e-3) for a, b in pairwise(found))


@given(st.integers(-1000, 1000), st.integers(-1000, 1000), st.integers(2, 20))
def test_whole_numbers_get_whole_ticks(one: int, other: int, most: int) -> None:
    found = ticks(min(one, other), max(one, other), most, whole=True)
    assert all(tick == int(tick) for tick in found)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_bars_are_as_long_as_their_values(values: list[float]) -> None:
    names = tuple(f"bar {place}" for place in range(len(values)))
    plot = Plot("", "bars", "", "", (Series("", names, tuple(values)),), unit_square=True)
    drawn = [line for line in lines_of(plot) if "│" in line]
    assert len(drawn) == len(values)
    room = 70 - len("bar 0") - (len(names) > 10) - 3
    for value, line in zip(values, drawn, strict=True):
        length = line.count(FILLS[0])
        cells = room - max(len(f"{each:.3g}") for each in values) - 1
        assert abs(length - value * cells) <= 1


def test_a_bar_with_an_interval_shows_both_ends_and_the_value() -> None:
    plot = Plot(
        "", "bars", "", "share", (Series("", ("x",), (0.5,), (0.25,), (0.75,)),), unit_square=True
    )
    line = lines_of(plot)[1]
    start = line.index("│") + 1
    cells = 70 - start - len(" 0.5") - 1
    ends = [line.index(sign) - start for sign in "├●┤"]
    expected = [share * cells for share in (0.25, 0.5, 0.75)]
    assert ends == pytest.approx(expected, abs=1)
    assert line.endswith("0.5")


def test_bars_below_zero_go_the_other_way() -> None:
    plot = Plot("", "bars", "", "", (Series("", ("down", "up"), (-1, 1)),))
    down, up = lines_of(plot)[1:3]
    middle = up.index(FILLS[0])
    assert down.rindex(FILLS[0]) == middle - 1
    assert down.split()[-1] == "-1"


def test_marks_stand_where_the_numbers_say() -> None:
    across, upward = (0.0, 0.25, 0.5, 1.0), (1.0, 0.5, 0.0, 0.75)
    plot = Plot("", "points", "x", "y", (Series("", across, upward),), unit_square=True)
    drawn = lines_of(plot, 80, 30)
    body = [line for line in drawn if "│" in line or "┤" in line]
    margin = next(place for place, character in enumerate(body[1]) if character == "│") + 1
    found = {
        (column, row)
        for row, line in enumerate(body)
        for column, character in enumerate(line)
        if character == MARKS[0]
    }
    columns, rows = 80 - margin, len(body)
    expected = {
        (
            margin + min(math.floor(x * columns), columns - 1),
            rows - 1 - min(math.floor(y * rows), rows - 1),
        )
        for x, y in zip(across, upward, strict=True)
    }
    assert found == expected


def test_series_are_told_apart_without_colour() -> None:
    names = ("a", "b")
    for kind, marks in (("bars", FILLS), ("lines", MARKS)):
        series = tuple(Series(name, ("x",), (0.5 + place / 4,)) for place, name in enumerate(names))
        drawn = "\n".join(lines_of(Plot("", kind, "", "", series)))  # type: ignore[arg-type]
        for place, name in enumerate(names):
            assert f"{marks[place]} {name}" in drawn
            assert drawn.count(marks[place]) >= 2


def test_a_line_never_hides_a_value() -> None:
    across = tuple(map(float, range(5)))
    series = tuple(
        Series(str(number), across, tuple((x * number) % 4 + number / 10 for x in across))
        for number in range(1, 4)
    )
    drawn = "\n".join(lines_of(Plot("", "lines", "", "", series), 80, 40))
    for number in range(3):
        assert drawn.count(MARKS[number]) == 1 + len(across)


def test_the_diagonal_is_drawn_and_goes_up() -> None:
    plot = Plot("", "lines", "", "", (Series("s", (0.0,), (0.5,)),), True, True)
    body = [line for line in lines_of(plot) if "·" in line]
    assert len(body) >= 10
    assert [line.index("·") for line in body] == sorted(
        (line.index("·") for line in body), reverse=True
    )


def test_intervals_of_many_series_are_left_out_in_words() -> None:
    series = tuple(
        Series(str(number), (1.0, 2.0), (0.5, 0.6), (0.1, 0.2), (0.9, 0.8)) for number in range(4)
    )
    crowd = lines_of(Plot("", "lines", "", "", series))
    few = lines_of(Plot("", "lines", "", "", series[:3]))
    assert CROWDED in crowd
    assert not any("┴" in line for line in crowd)
    assert CROWDED not in few
    assert any("┴" in line for line in few)


def test_names_across_stand_under_their_values() -> None:
    plot = Plot("", "lines", "", "", (Series("", ("low", "middle", "high"), (1.0, 2.0, 3.0)),))
    drawn = lines_of(plot)
    words, axis = drawn[-2], drawn[-3]
    ticks_at = [place for place, character in enumerate(axis) if character == "┬"]
    for name, column in zip(("low", "middle", "high"), ticks_at, strict=True):
        assert abs(words.index(name) + len(name) // 2 - column) <= 1


def test_what_is_not_there_is_not_drawn() -> None:
    plot = Plot("t", "lines", "", "", (Series("", (0.0, 1.0), (None, None)),))
    assert lines_of(plot) == ["t", NOTHING]
    bars = Plot("t", "bars", "", "", (Series("", ("a", "b"), (None, 0.0)),))
    absent, zero = lines_of(bars)[1:3]
    assert absent.split()[-1] == "–"
    assert zero.split()[-1] == "0"
    assert FILLS[0] not in absent + zero
