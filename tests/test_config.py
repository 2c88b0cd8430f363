"""The settings: what is understood, what is not and what is said about it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from engine.paths import config_path
from tests.screen_help import LARGE, settle, text_of, until
from tui.actions import ACTIONS
from tui.app import ExplorerApp
from tui.config import DEFAULTS, Settings, config_schema, default_file, read_config


def read(text: str) -> tuple[Settings, list[str]]:
    path = config_path()
    path.write_text(text)
    config = read_config()
    return config.settings, [str(trouble) for trouble in config.troubles]


def test_without_a_file_defaults_are_in_force() -> None:
    config = read_config()
    assert (config.settings, config.given, config.troubles) == (DEFAULTS, frozenset(), ())


def test_every_setting_can_be_given() -> None:
    settings, troubles = read(
        'theme = "nord"\nnotify = "desktop"\nnotify_after = 3\nanimation = false\n'
        'restore = false\n[keys]\n"questions.filter" = "f9"\n'
    )
    assert troubles == []
    assert settings == Settings(
        theme="nord",
        notify="desktop",
        notify_after=3.0,
        animation=False,
        restore=False,
        keys={"questions.filter": "f9"},
    )


def test_action_ids_need_no_quotation_marks() -> None:
    settings, troubles = read('[keys]\nquestions.filter = "f9"\n')
    assert (settings.keys, troubles) == ({"questions.filter": "f9"}, [])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("theme = \n", "line 1: This is no TOML: Invalid value. Defaults are in force."),
        ('\nthem = "nord"\n', "line 2: There is no setting them. Perhaps theme is meant."),
        ('theme = "nort"\n', "line 1: There is no theme nort. Perhaps nord is meant."),
        ('notify = "loud"\n', 'Write "bell", "desktop" or "off".'),
        ("notify_after = -1\n", "Write it like its default: notify_after = 10.0"),
        ('restore = "no"\n', "Write it like its default: restore = true"),
        ("keys = 3\n", "line 1: keys is no table. Begin it with a line [keys]."),
        (
            '[keys]\n"questions.filtr" = "f9"\n',
            "line 2: There is no action questions.filtr. Perhaps questions.filter is meant.",
        ),
        ('[keys]\n"questions.filter" = "crtl+f"\n', "line 2: questions.filter: no key is called"),
        ('[keys]\n"questions.filter" = ""\n', "line 2: questions.filter has no key."),
        ('[keys]\n"questions.filter" = 9\n', "line 2: The keys of questions.filter are no text."),
        (
            '[keys]\n"questions.filter" = "n"\n',
            "line 2: questions.filter and questions.next_flagged both want the key n.",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_the_rest_is_in_force(text: str, says: str) -> None:
    settings, (trouble,) = read(text)
    assert says in trouble
    assert settings == DEFAULTS


def test_one_bad_line_costs_the_others_nothing() -> None:
    settings, troubles = read('theme = "nord"\ncolour = 1\n[keys]\n"questions.mark" = "f9"\n')
    assert len(troubles) == 1
    assert settings == Settings(theme="nord", keys={"questions.mark": "f9"})


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_a_file_that_cannot_be_read_is_told(content: bytes | None) -> None:
    path = config_path()
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    config = read_config()
    assert config.settings == DEFAULTS
    assert "can't be read" in str(config.troubles[0])


def test_the_file_made_for_the_user_says_what_is_in_force_anyway(tmp_path: Path) -> None:
    path = tmp_path / "made.toml"
    path.write_text(default_file())
    assert read_config(path)[1:] == (Settings(), frozenset({"keys"}), ())
    uncommented = [
        line[2:] if line.startswith("# ") and " = " in line else line
        for line in default_file().splitlines()
        if '= ""' not in line
    ]
    path.write_text("\n".join(uncommented))
    config = read_config(path)
    assert [each for each in config.troubles if "both want" in str(each)] == []
    assert msgspec.structs.replace(config.settings, keys={}) == DEFAULTS
    assert len(config.settings.keys) > len(ACTIONS) / 2


def test_the_schema_knows_every_setting_theme_and_action() -> None:
    schema = config_schema()
    assert set(schema["properties"]) == set(Settings.__struct_fields__)
    assert all(each["description"] for each in schema["properties"].values())
    assert set(schema["properties"]["keys"]["properties"]) == {action.id for action in ACTIONS}
    assert "high-contrast" in schema["properties"]["theme"]["enum"]
    assert schema["additionalProperties"] is False


async def test_the_explorer_starts_with_the_good_part_and_says_what_is_wrong(
    explorer: ExplorerApp,
) -> None:
    config_path().write_text('theme = "nord"\ncolour = 1\nnoise = 2\n')
    app = ExplorerApp(explorer.session, read_config())
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await settle(pilot)
        assert app.theme == "nord"
        await until(pilot, lambda: "line 2: There is no setting colour." in text_of(app))
        assert "1 more" in text_of(app)
