"""``logitscope config``."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner, Result

from engine.paths import config_path
from tui.actions import ACTIONS
from tui.commands.config import PARTS, ConfigError
from tui.commands.root import app
from tui.themes import remember_pick


def run(*args: str) -> Result:
    return CliRunner().invoke(app, ["config", *args])


def test_path_says_where_the_settings_are() -> None:
    assert run("path").stdout.strip() == str(config_path())


def test_init_writes_a_file_that_checks_and_never_writes_over_one() -> None:
    assert run("init").exit_code == 0
    assert run("check").exit_code == 0
    written = config_path().read_text()
    done = run("init")
    assert isinstance(done.exception, ConfigError)
    assert "is there already" in str(done.exception)
    assert config_path().read_text() == written


def test_check_exits_with_1_and_a_sentence_a_line() -> None:
    config_path().write_text('colour = 1\nnotify = "loud"\n')
    done = run("check")
    assert done.exit_code == 1
    assert [line.partition(": ")[2][:6] for line in done.stdout.splitlines()] == [
        "line 1",
        "line 2",
    ]


def test_show_says_where_each_value_comes_from() -> None:
    config_path().write_text('notify = "off"\n[keys]\n"questions.filter" = "f9"\n')
    remember_pick("nord", "dark")
    rows = {row["setting"]: (row["value"], row["from"]) for row in json.loads(_json("show"))}
    file = str(config_path())
    assert rows["theme"] == ("nord", "picked in the explorer")
    assert rows["notify"] == ("off", file)
    assert rows["restore"] == (True, "default")
    assert rows["keys.questions.filter"] == ("f9", file)
    assert "f9" in run().stdout


def test_keys_lists_every_action_with_the_keys_in_force() -> None:
    config_path().write_text('[keys]\n"questions.filter" = "f9,ctrl+k"\n')
    listed = {entry["id"]: entry for entry in json.loads(_json("keys"))}
    assert set(listed) == {action.id for action in ACTIONS}
    assert listed["questions.filter"]["keys"] == ["f9", "ctrl+k"]
    assert listed["questions.filter"]["default"] == ["slash"]
    assert "f9 ctrl+k" in run("keys").stdout


def test_keys_as_markdown_has_a_table_for_each_part() -> None:
    printed = run("keys", "--markdown").stdout
    for scope in {action.scope for action in ACTIONS}:
        assert f"\n## {PARTS.get(scope, scope)}\n" in printed
    assert printed.count("| `") >= len(ACTIONS)


def test_every_part_has_a_name_for_people() -> None:
    assert set(PARTS) >= {"app", "questions", "question", "lab", "runs", "study"}
    assert set(PARTS) <= {action.scope for action in ACTIONS}


def test_schema_is_json() -> None:
    assert json.loads(run("schema").stdout)["title"] == "Settings"


def _json(command: str) -> str:
    done = run(command, "--json")
    assert done.exit_code == 0
    return done.stdout


@pytest.mark.parametrize("command", ["show", "keys"])
def test_troubles_go_to_standard_error(command: str) -> None:
    config_path().write_text("colour = 1\n")
    done = run(command, "--json")
    json.loads(done.stdout)
    assert "There is no setting colour." in done.stderr
