"""Charts of results: which is chosen, what is drawn, and what is said to be left out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from textual.app import App, ComposeResult

from engine.errors import LogitscopeError
from engine.sql.result import Column
from tui import charts, cli, clipboard
from tui.charts import DRAWN_ROWS, MOST_BARS, MOST_SERIES, Chart, choose, of_kind, plotted
from tui.plots import picture
from tui.widgets.value_chart import ValueChart

TEXT, NUMBER, WHOLE, TIME = "VARCHAR", "DOUBLE", "INTEGER", "TIMESTAMP"


def columns(**types: str) -> list[Column]:
    return [Column(name, kind) for name, kind in types.items()]


FORMATS = columns(format=TEXT, probes=WHOLE, rate=NUMBER)
FORMAT_ROWS = [("low", 10, 0.5), ("high", 20, 0.25), ("middle", 30, None)]


@pytest.mark.parametrize(
    ("found", "rows", "chart"),
    [
        (FORMATS, FORMAT_ROWS, Chart("bar", 0, 1)),
        (
            columns(run_id=WHOLE, format=TEXT, side=TEXT, rate=NUMBER),
            [(1, "low", "a", 0.1), (1, "low", "b", 0.2)],
            Chart("bar", 1, 3, 2),
        ),
        (columns(answer=TEXT), [("A",), ("B",), ("A",)], Chart("bar", 0)),
        (columns(entropy=NUMBER), [(0.5,), (1.5,)], Chart("histogram", 0)),
        (columns(position=WHOLE, entropy=NUMBER), [(0, 2.0), (1, 1.0)], Chart("line", 0, 1)),
        (columns(margin=NUMBER, entropy=NUMBER), [(0.5, 2.0), (0.1, 1.0)], Chart("scatter", 0, 1)),
        (columns(at=TIME, rate=NUMBER), [(datetime(2026, 1, 1), 1.0)], Chart("line", 0, 1)),
        (columns(ids="INTEGER[]"), [([1],)], Chart("bar", 0)),
    ],
)
def test_the_chart_follows_the_types(
    found: list[Column], rows: list[tuple[object, ...]], chart: Chart
) -> None:
    assert choose(found, rows) == chart
    assert picture(plotted(chart, found, rows).plot, 60, 12)


@pytest.mark.parametrize(("found", "rows"), [([], []), (FORMATS, [])])
def test_no_rows_are_no_chart(found: list[Column], rows: list[tuple[object, ...]]) -> None:
    with pytest.raises(LogitscopeError, match="no rows to draw"):
        choose(found, rows)


def test_bars_have_the_values_and_say_what_is_null() -> None:
    drawn = plotted(Chart("bar", 0, 2), FORMATS, FORMAT_ROWS)
    (series,) = drawn.plot.series
    assert (series.x, series.y) == (("low", "high"), (0.5, 0.25))
    assert drawn.notes == ("2 of 3 rows.", "1 left out: rate is NULL or not finite.")


def test_bars_without_a_second_column_count_rows() -> None:
    drawn = plotted(Chart("bar", 0), columns(a=TEXT), [("x",), (None,), ("x",)])
    (series,) = drawn.plot.series
    assert (series.x, series.y) == (("x", "NULL"), (2, 1))
    assert drawn.plot.y_label == "rows"


def test_too_many_bars_and_series_are_said_to_be_left_out() -> None:
    rows = [(f"name {n}", n) for n in range(MOST_BARS + 5)]
    drawn = plotted(Chart("bar", 0, 1), columns(a=TEXT, n=WHOLE), rows)
    assert len(drawn.plot.series[0].x) == MOST_BARS
    assert drawn.notes[-1] == f"The first {MOST_BARS} of {MOST_BARS + 5} bars."
    rows = [(n, n, f"series {n}") for n in range(MOST_SERIES + 2)]
    drawn = plotted(Chart("scatter", 0, 1, 2), columns(x=WHOLE, y=WHOLE, s=TEXT), rows)
    assert len(drawn.plot.series) == MOST_SERIES
    assert drawn.notes[-1] == f"The first {MOST_SERIES} of {MOST_SERIES + 2} series."


def test_a_histogram_counts_every_value_once() -> None:
    values = [(n / 100,) for n in range(1000)] + [(None,), (float("nan"),)]
    drawn = plotted(Chart("histogram", 0), columns(entropy=NUMBER), values)
    (series,) = drawn.plot.series
    assert sum(y for y in series.y if y is not None) == 1000
    assert drawn.notes[:2] == ("1,000 of 1,002 rows.", "2 left out: entropy is NULL or not finite.")


def test_a_histogram_of_few_whole_numbers_has_a_bar_each() -> None:
    drawn = plotted(Chart("histogram", 0), columns(n=WHOLE), [(3,), (1,), (3,)])
    (series,) = drawn.plot.series
    assert (series.x, series.y) == (("1", "3"), (1, 2))


def test_a_histogram_of_one_value_and_of_none() -> None:
    drawn = plotted(Chart("histogram", 0), columns(n=NUMBER), [(0.5,), (0.5,)])
    assert sum(y for y in drawn.plot.series[0].y if y is not None) == 2
    with pytest.raises(LogitscopeError, match="Every n is NULL"):
        plotted(Chart("histogram", 0), columns(n=NUMBER), [(None,)])


def test_lines_run_from_left_to_right() -> None:
    found = columns(x=WHOLE, y=NUMBER)
    drawn = plotted(Chart("line", 0, 1), found, [(2, 0.2), (1, 0.1), (None, 3.0)])
    assert drawn.plot.series[0].x == (1.0, 2.0)
    assert drawn.notes[1] == "1 left out: NULL or not finite in one of both columns."


def test_times_stand_along_the_axis_in_their_order() -> None:
    first = datetime(2026, 1, 1)
    rows = [(first + timedelta(days=day), float(day)) for day in range(3)]
    drawn = plotted(Chart("line", 0, 1), columns(at=TIME, y=NUMBER), rows)
    assert drawn.plot.series[0].x[0] == "2026-01-01 00:00:00"


def test_only_numbers_are_drawn_upwards() -> None:
    with pytest.raises(LogitscopeError, match="format is VARCHAR"):
        plotted(Chart("bar", 1, 0), FORMATS, FORMAT_ROWS)
    with pytest.raises(LogitscopeError, match="second column"):
        plotted(Chart("scatter", 0), FORMATS, FORMAT_ROWS)


def test_more_rows_than_are_looked_at_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charts, "DRAWN_ROWS", 2)
    drawn = plotted(Chart("bar", 0, 1), FORMATS, FORMAT_ROWS)
    assert drawn.notes[0] == "Only the first 2 of 3 rows are looked at."
    assert DRAWN_ROWS > 2


def test_another_kind_gets_columns_that_it_can_draw() -> None:
    bar = Chart("bar", 0, 1)
    assert of_kind(bar, "histogram", FORMATS) == Chart("histogram", 1)
    assert of_kind(Chart("bar", 0), "line", FORMATS) == Chart("line", 0, 1)
    assert of_kind(Chart("histogram", 1), "scatter", FORMATS) == Chart("scatter", 1, 2)


class ChartApp(App[None]):
    """The pane alone."""

    def compose(self) -> ComposeResult:
        yield ValueChart()

    def on_mount(self) -> None:
        self.chart = self.query_one(ValueChart)
        self.chart.show(FORMATS, FORMAT_ROWS)
        self.chart.focus()


async def test_keys_change_kind_and_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []
    monkeypatch.setattr(clipboard, "copy", lambda app, text: copied.append(text) or "the test")
    app = ChartApp()
    async with app.run_test(size=(80, 24)) as pilot:
        assert app.chart.chart == Chart("bar", 0, 1)
        await pilot.press("y")
        assert app.chart.chart == Chart("bar", 0, 2)
        await pilot.press("y")
        assert app.chart.chart == Chart("bar", 0, None)
        await pilot.press("s", "s")
        assert app.chart.chart == Chart("bar", 0, None, 1)
        await pilot.press("t")
        assert app.chart.chart == Chart("histogram", 1, None, 1)
        await pilot.press("x")
        assert app.chart.chart == Chart("histogram", 2, None, 1)
        await pilot.press("c")
        assert copied[0].splitlines()[0].strip() == "histogram · x rate · y rows · series probes"


async def test_what_can_not_be_drawn_is_said_and_can_be_changed() -> None:
    app = ChartApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.chart.show(columns(a=TEXT, b=TEXT), [("x", "y")])
        await pilot.press("t")
        assert "only numbers can be drawn" in app.chart.copied()
        await pilot.press("t")
        assert "second column of numbers" in app.chart.copied()
        await pilot.press("t", "t")
        assert "rows by a" in app.chart.copied()
        app.chart.show(columns(a=TEXT), [])
        assert "There are no rows to draw." in app.chart.copied()
        await pilot.press("t", "x", "y", "s")
        assert app.chart.chart is None


Draw = Callable[..., tuple[int, str, str]]


@pytest.fixture
def draw(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], sample_database: Path
) -> Draw:
    """Runs ``logitscope sql``: exit code, output, talk."""

    def run(*arguments: str) -> tuple[int, str, str]:
        given = ["logitscope", "sql", *arguments, "--db", str(sample_database)]
        monkeypatch.setattr("sys.argv", given)
        monkeypatch.setenv("COLUMNS", "80")
        try:
            cli.main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_the_command_draws_the_last_result(draw: Draw) -> None:
    counted = "SELECT format, count(*) AS probes FROM listing GROUP BY 1 ORDER BY 1"
    code, out, err = draw(f"SELECT 1 AS a; {counted}", "--chart", "auto")
    assert (code, out.splitlines()[0], err) == (0, "probes by format", "2 of 2 rows.\n")
    assert [line.split()[0] for line in out.splitlines()[1:3]] == ["high", "low"]
    assert "█" in out


def test_the_command_draws_what_it_is_told_or_says_why_not(draw: Draw) -> None:
    code, out, _ = draw("SELECT entropy, margin FROM listing", "--chart", "histogram")
    assert (code, out.splitlines()[0]) == (0, "rows by entropy")
    code, out, err = draw("SELECT 'a' AS a", "--chart", "line")
    assert (code, out) == (1, "")
    assert "second column of numbers" in err
    code, out, err = draw("CREATE VIEW none_of_it AS SELECT 1 AS a", "--chart", "bar")
    assert (code, out) == (1, "")
    assert "There are no rows to draw." in err
    assert draw("SELECT 1 AS a", "--chart", "bar", "--json")[0] == 2
