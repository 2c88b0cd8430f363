"""Themes: what is picked, what is remembered, and whether high contrast is what it says."""

from __future__ import annotations

import re

import pytest
from textual.color import Color
from textual.command import CommandList, CommandPalette
from textual.pilot import Pilot
from textual.widgets import Input

from tests.screen_help import LARGE, SMALL, settle, text_of, until
from tui.app import ExplorerApp
from tui.themes import (
    LIGHT,
    OWN_THEMES,
    full_name,
    picked,
    picked_path,
    remember_pick,
    theme_names,
)

AA, AAA = 4.5, 7.0
"""Contrast that WCAG 2.2 asks of text: the usual (1.4.3) and the strictest level (1.4.6)."""


async def open_picker(pilot: Pilot[int], query: str) -> None:
    pilot.app.call_later(pilot.app.action_change_theme)
    await until(pilot, lambda: pilot.app.screen.query(CommandList))
    await pilot.pause()
    commands = pilot.app.screen.query_one(CommandList)
    pilot.app.screen.query_one(Input).value = query
    await until(pilot, lambda: commands.option_count == 1 and not commands.loading)


async def test_the_theme_under_the_cursor_is_shown_and_escape_takes_it_back(
    explorer: ExplorerApp,
) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await open_picker(pilot, "dracula")
        await until(pilot, lambda: explorer.theme == "dracula")
        await pilot.press("escape")
        await until(pilot, lambda: explorer.theme == "textual-dark")
        assert not picked_path().exists()


async def test_what_is_picked_is_there_at_the_next_start(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await open_picker(pilot, "high-contrast-light")
        await pilot.press("enter")
        await until(pilot, lambda: not CommandPalette.is_open(explorer))
        await until(pilot, lambda: explorer.theme == "high-contrast-light")
    again = ExplorerApp(explorer.session)
    async with again.run_test(size=SMALL):
        assert again.theme == "high-contrast-light"


def test_the_settings_win_over_an_older_pick() -> None:
    remember_pick("nord", "dark")
    assert picked("dark") == "nord"
    assert picked("light") is None
    picked_path().write_text("{")
    assert picked("dark") is None
    remember_pick("gone", "dark")
    assert picked("dark") is None


@pytest.mark.parametrize("name", theme_names())
async def test_every_theme_of_the_settings_is_known(explorer: ExplorerApp, name: str) -> None:
    assert full_name(name) in explorer.available_themes


# Contrast


def luminance(color: Color) -> float:
    """Relative luminance (WCAG 2.2)."""

    def linear(channel: int) -> float:
        share = channel / 255
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

    red, green, blue = map(linear, color.rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Color, other: Color) -> float:
    """Contrast ratio of two colours, from 1 to 21 (WCAG 2.2)."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_black_on_white_is_the_greatest_contrast() -> None:
    assert contrast(Color.parse("black"), Color.parse("white")) == pytest.approx(21)


_PICTURES_OWN = "#c5c8c6"
"""What a picture draws in the terminal's own colour."""
_NO_WORDS = re.compile("divider--line|tree--guides")
"""Lines, which carry no words."""


@pytest.mark.parametrize(
    ("theme", "least"),
    [(theme.name, AA if theme is LIGHT else AAA) for theme in OWN_THEMES],
)
@pytest.mark.parametrize("keys", [(), ("enter",), ("p",), ("s", "1"), ("question_mark",), ("Q",)])
async def test_every_part_of_every_screen_can_be_read(
    explorer: ExplorerApp, theme: str, least: float, keys: tuple[str, ...]
) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        explorer.theme = theme
        await settle(pilot)
        for key in keys:
            await pilot.press(key)
            await settle(pilot)
        low = {}
        for widget in explorer.screen.walk_children():
            if widget.display and widget.size.area:
                ratio = contrast(widget.colors[3], widget.background_colors[1])
                if ratio < least:
                    low[f"{type(widget).__name__}#{widget.id}"] = round(ratio, 1)
            for name in sorted(getattr(widget, "_component_styles", {})):
                if _NO_WORDS.search(name):
                    continue
                style = widget.get_visual_style(name)  # type: ignore[attr-defined]
                background, foreground = style.background, style.foreground
                if background is None or foreground is None:
                    continue
                ratio = contrast(background + foreground, background)
                if ratio < least:
                    low[f"{type(widget).__name__}.{name}"] = round(ratio, 1)
        assert low == {}


async def test_no_color_draws_without_any(
    explorer: ExplorerApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = ExplorerApp(explorer.session)
    async with app.run_test(size=LARGE) as pilot:
        await settle(pilot)
        assert app.no_color
        picture = app.export_screenshot()
        assert "-r1 { fill: #" in picture
        used = set(re.findall(r"-r\d+ { fill: (#[0-9a-f]{6})", picture)) - {_PICTURES_OWN}
        assert all(len(set(Color.parse(each).rgb)) == 1 for each in used)
        assert "▸" in text_of(app)
