"""The prompt lab as a person uses it, with a fake worker; once with the embedded model."""

from __future__ import annotations

import os
import re
import time
from functools import partial
from pathlib import Path

import pytest
from textual.widgets import Input, OptionList

from engine.browse import list_ids
from engine.client import WorkerClient
from engine.demo import EMBEDDED_MODEL
from engine.formats import load_format, parse_format
from engine.formats.writing import format_toml
from engine.records import ProbeSettings
from engine.runs import execute, plan_run, stored_plan
from engine.store import open_store
from tests.actions.covering import covers
from tests.fake_worker import fake_command
from tests.lab_driver import Bench, Open, open_lab, record
from tests.screen_help import LARGE, SMALL, settle, text_of, until
from tui.app import ExplorerApp
from tui.events import AskCancelled, RunEnded
from tui.screens.choose_format import ChooseFormatScreen
from tui.screens.lab import LabScreen
from tui.screens.lab_file import LabFile, run_editor
from tui.screens.question import QuestionScreen
from tui.screens.questions import QuestionsScreen
from tui.screens.save import SaveScreen
from tui.screens.start import StartScreen
from tui.screens.studies import StudyScreen
from tui.screens.sweep import SweepScreen
from tui.session import Session
from tui.widgets.comparison_view import ComparisonView
from tui.widgets.format_form import SettingRows
from tui.widgets.pinned_view import PinnedView
from tui.widgets.prompt_diff_view import PromptDiffView
from tui.widgets.rendered_prompt import RenderedPromptView


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("recorded"))


@pytest.fixture
def opened(recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens the lab on a copy of the database, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "runs.duckdb"
    path.write_bytes(recorded.read_bytes())
    return partial(open_lab, path)


def changed(text: str, old: str = "Answer:", new: str = "Reply:") -> str:
    assert old in text
    return text.replace(old, new)


# Left and come back to


async def test_a_format_that_was_not_saved_is_there_again(opened: Open) -> None:
    async with opened() as bench:
        first = bench.editor.text
        text = changed(first)
        await bench.write(text)
        compared = bench.compared("A 0")
    async with opened(restored=True) as again:
        await again.quiet()
        assert again.editor.text == text
        assert again.compared("A 0") == compared
        await again.pilot.press("ctrl+z")
        assert again.editor.text == first
        await again.pilot.press("ctrl+y", "escape", "escape")
        await again.to(QuestionsScreen)
    async with opened() as last:
        assert last.editor.text == first, "it was left without being saved"


@pytest.mark.parametrize("delay", ["0", "1.5"])  # the model is there before the pause, or after
async def test_a_broken_format_is_there_again(opened: Open, delay: str) -> None:
    async with opened() as bench:
        text = bench.editor.text.replace("{{ options }}", "{{ nothing }}")
        await bench.write(text)
    async with opened("--load-delay", delay, restored=True) as again:
        await again.quiet()
        assert again.editor.text == text
        assert again.editor._problem is not None
        assert again.compared("A 0")
        await again.write(text.replace("{{ nothing }}", "{{ options }}"))
        assert again.editor._problem is None


# What is shown


@covers("questions.lab")
@pytest.mark.parametrize("size", [SMALL, LARGE, (160, 45)])
async def test_it_opens_on_the_format_that_was_asked(opened: Open, size: tuple[int, int]) -> None:
    async with opened(size=size) as bench:
        assert bench.editor.text == format_toml(load_format("high"))
        assert "What is 0?" in bench.lab.query_one(RenderedPromptView).copied()
        assert len(bench.pinned.questions) == 13
        assert not any(row.waiting for row in bench.pinned.questions)
        assert "prompt lab · question 1" in text_of(bench.app)


async def test_a_change_is_asked_once_typing_pauses(opened: Open) -> None:
    async with opened() as bench:
        before = len(bench.asked)
        bench.editor.move_cursor(bench.editor.document.end)
        await bench.pilot.press("enter", *"# a note")
        await bench.quiet()
        assert len(bench.asked) == before, "a comment changes no format"
        await bench.write(changed(bench.editor.text))
        assert [ask.format.user[-6:] for ask in bench.asked[before:]] == ["Reply:"]
        assert not any(row.waiting for row in bench.pinned.questions)
        assert re.search(r"[+−]\d", bench.compared("A 0"))


async def test_a_broken_template_is_named_and_the_last_result_stays(opened: Open) -> None:
    async with opened() as bench:
        good = bench.lines(ComparisonView)
        text = bench.editor.text
        before = len(bench.asked)
        await bench.write(text.replace("{{ options }}", "{{ nothing }}"))
        assert len(bench.asked) == before
        wrong = text.splitlines().index("{{ options }}") + 1
        assert bench.editor._problem == (wrong - 1, 0)
        assert f"line {wrong}: template 'user' fails: 'nothing' is undefined" in (
            bench.lines(RenderedPromptView).replace("\n", " ")
        )
        assert "What is 0?" in bench.lab.query_one(RenderedPromptView).copied()
        assert bench.lines(ComparisonView) == good
        await bench.pilot.press("ctrl+z")
        await bench.quiet()
        assert bench.editor.text == text
        assert bench.editor._problem is None
        assert "undefined" not in bench.lines(RenderedPromptView)


async def test_a_superseded_trial_is_taken_back(opened: Open) -> None:
    async with opened("--delay", "0.1") as bench:
        bench.lab._take(changed(bench.editor.text))
        await until(bench.pilot, lambda: len(bench.asked) == 2, "the first change")
        await bench.write(changed(bench.editor.text, "Reply:", "Said:"))
        cancelled = [each.ask for each in bench.heard if isinstance(each, AskCancelled)]
        assert bench.asked[1] in cancelled
        assert bench.asked[2] not in cancelled
        assert bench.lab._tried is not None
        assert bench.lab._tried.format.user.endswith("Said:")


async def test_a_question_that_can_not_be_asked_says_why(opened: Open) -> None:
    async with opened() as bench:
        good = bench.lines(PinnedView)
        await bench.write('labels = "AB"\n' + bench.editor.text)
        assert "labels" in bench.lines(ComparisonView)
        assert bench.lines(PinnedView) == good


async def test_a_pinned_question_that_can_not_be_asked_is_told(
    opened: Open, recorded: Path
) -> None:
    with open_store(recorded, read_only=True) as store:
        query = "SELECT question_id FROM probes WHERE question_index = 2 LIMIT 1"
        ((question_id,),) = store.reader().execute(query).fetchall()
    async with opened("--fail", question_id) as bench:
        assert f"can't show {question_id}" in bench.lines(PinnedView)
        assert len(bench.pinned.questions) == 12


async def test_nothing_is_stored(opened: Open) -> None:
    async with opened(read_only=True) as bench:
        await bench.write(changed(bench.editor.text))
        assert bench.lab._tried is not None
        assert bench.lab._tried.format.user.endswith("Reply:")


# The form


async def test_a_setting_changes_the_text(opened: Open) -> None:
    async with opened() as bench:
        rows = bench.lab.query_one(SettingRows)
        rows.focus()
        rows.cursor = next(at for at, each in enumerate(rows.settings) if each.key == "chat")
        await bench.pilot.press("enter")
        await bench.quiet()
        assert not parse_format(bench.editor.text, "x.toml").chat
        assert not bench.asked[-1].format.chat
        bench.editor.focus()
        await bench.pilot.press("ctrl+z")
        await bench.quiet()
        assert bench.editor.text == format_toml(load_format("high"))


# Baselines and other formats


@covers("lab.choose_format")
async def test_another_format_is_taken_and_given_back(opened: Open) -> None:
    async with opened() as bench:
        before = bench.editor.text
        await bench.pilot.press("ctrl+o")
        screen = await bench.to(ChooseFormatScreen)
        options = screen.query_one(OptionList)
        assert options.highlighted is not None
        assert options.get_option_at_index(options.highlighted).id == "high"
        options.highlighted = options.get_option_index("low")
        await bench.pilot.press("enter")
        await bench.to(LabScreen)
        await bench.quiet()
        assert bench.editor.text == format_toml(load_format("low"))
        assert bench.asked[-1].format == load_format("low")
        bench.editor.undo()
        await bench.quiet()
        assert bench.editor.text == before


async def test_an_unknown_format_is_refused(opened: Open) -> None:
    async with opened() as bench:
        await bench.pilot.press("ctrl+o")
        screen = await bench.to(ChooseFormatScreen)
        field = screen.query_one(Input)
        field.focus()
        field.value = "low:x=1"
        await bench.pilot.press("enter")
        await bench.pilot.pause()
        assert "no field 'x'" in text_of(bench.app)
        field.value = "example:example_letter=B"
        await bench.pilot.press("enter")
        await bench.to(LabScreen)
        assert 'example_letter = "B"' in bench.editor.text


@covers("lab.rebase", "lab.reset")
async def test_the_baseline_can_be_what_there_is_now(opened: Open) -> None:
    async with opened() as bench:
        await bench.write(changed(bench.editor.text))
        await bench.pilot.press("ctrl+b")
        await bench.pilot.pause()
        assert bench.lab._baseline.user.endswith("Reply:")
        assert "  " in bench.compared("A 0")
        assert not re.search(r"[+−]\d", bench.compared("A 0"))
        await bench.write(changed(bench.editor.text, "Reply:", "Said:"))
        await bench.pilot.press("ctrl+r")
        await bench.quiet()
        assert "Reply:" in bench.editor.text


@covers("lab.toggle_diff", "lab.toggle_tokens")
async def test_the_difference_of_the_prompts(opened: Open) -> None:
    async with opened() as bench:
        tokens, diff = bench.lab.query_one(RenderedPromptView), bench.lab.query_one(PromptDiffView)
        assert (tokens.display, diff.display) == (True, False)
        await bench.pilot.press("f3")
        await bench.pilot.pause()
        assert (tokens.display, diff.display) == (False, True)
        await bench.pilot.press("f3", "f4")
        await bench.pilot.pause()
        assert tokens.display
        assert tokens.as_text


# Files


@covers("lab.save", "lab.close")
async def test_saving_and_leaving(opened: Open, tmp_path: Path) -> None:
    async with opened() as bench:
        await bench.write(changed(bench.editor.text))
        await bench.pilot.press("escape")
        await bench.pilot.pause()
        assert isinstance(bench.app.screen, LabScreen), "not saved: asks first"
        await bench.pilot.press("ctrl+s")
        screen = await bench.to(SaveScreen)
        assert screen.query_one(Input).value == "high.toml"
        await bench.pilot.press("enter")
        await bench.to(LabScreen)
        assert (tmp_path / "high.toml").read_text() == bench.editor.text
        await bench.write(changed(bench.editor.text, "Reply:", "Said:"))
        await bench.pilot.press("ctrl+s")
        await bench.to(SaveScreen)
        await bench.pilot.press("enter")
        await bench.to(LabScreen)
        assert "Said:" in (tmp_path / "high.toml").read_text(), "its own file: written over"
        await bench.pilot.press("escape")
        await until(bench.pilot, lambda: not isinstance(bench.app.screen, LabScreen), "leaving")


async def test_other_files_are_not_written_over_unasked(opened: Open, tmp_path: Path) -> None:
    (tmp_path / "high.toml").write_text("mine")
    async with opened() as bench:
        await bench.pilot.press("ctrl+s")
        await bench.to(SaveScreen)
        await bench.pilot.press("enter")
        await bench.pilot.pause()
        assert (tmp_path / "high.toml").read_text() == "mine"
        assert "exists" in text_of(bench.app)
        await bench.pilot.press("enter")
        await bench.to(LabScreen)
        assert (tmp_path / "high.toml").read_text() == bench.editor.text


@covers("save.close")
@pytest.mark.parametrize(
    ("path", "sentence"), [("x.txt", "ends in .toml"), ("no/such/x.toml", "can't be written")]
)
async def test_a_path_that_is_none_is_refused(opened: Open, path: str, sentence: str) -> None:
    async with opened() as bench:
        await bench.pilot.press("ctrl+s")
        screen = await bench.to(SaveScreen)
        screen.query_one(Input).value = path
        await bench.pilot.press("enter")
        await bench.pilot.pause()
        assert sentence in text_of(bench.app)
        await bench.pilot.press("escape")
        await bench.to(LabScreen)


async def test_a_file_saved_elsewhere_is_followed(opened: Open, tmp_path: Path) -> None:
    async with opened() as bench:
        await bench.pilot.press("ctrl+s")
        await bench.to(SaveScreen)
        await bench.pilot.press("enter")
        await bench.to(LabScreen)
        path = tmp_path / "high.toml"
        path.write_text(changed(path.read_text()))
        os.utime(path, (1, 1))
        await until(bench.pilot, lambda: "Reply:" in bench.editor.text, "the file to be read")
        await bench.quiet()
        assert bench.asked[-1].format.user.endswith("Reply:")


@covers("lab.open_editor")
async def test_an_editor_needs_a_terminal(opened: Open) -> None:
    """Without one the lab says which file to open."""
    async with opened() as bench:
        await bench.pilot.press("f2")
        await until(bench.pilot, lambda: list(bench.app._notifications))
        (said,) = (each.message for each in bench.app._notifications)
        path = said.removeprefix("Open it yourself: ").removesuffix(". The lab follows every save.")
        assert Path(path).read_text() == bench.editor.text


def test_the_users_editor_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = LabFile()
    path = file.prepare("before", "name")
    assert path.name == "name.toml"
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", "sed -i s/before/after/")
    assert file.changed() is None
    run_editor(path)
    assert file.changed() == "after"
    assert file.changed() is None
    monkeypatch.setenv("EDITOR", str(tmp_path / "none"))
    with pytest.raises(Exception, match="can't be started"):
        run_editor(path)


@covers("lab.start_run")
async def test_a_run_starts_from_the_saved_file(opened: Open) -> None:
    async with opened() as bench:
        await bench.write(changed(bench.editor.text))
        await bench.pilot.press("f5")
        await bench.to(SaveScreen)
        await bench.pilot.press("enter")
        form = await bench.to(StartScreen)
        assert form.query_one("#formats", Input).value == "high.toml"
        assert form.query_one("#source", Input).value.endswith("quiz.jsonl")


# The rest


async def test_a_pinned_question_opens(opened: Open) -> None:
    async with opened() as bench:
        bench.pinned.focus()
        await bench.pilot.press("down", "down", "enter")
        screen = await bench.to(QuestionScreen)
        store = bench.app.session.store
        assert screen._probe_id in list_ids(store, 1, condition="question_index = 2")
        await bench.pilot.press("escape")
        await bench.to(LabScreen)


@covers("lab.next_pane")
async def test_a_narrow_screen_shows_one_pane_at_a_time(opened: Open) -> None:
    async with opened(size=SMALL) as bench:
        seen = []
        for _ in range(4):
            shown = [
                selector
                for selector in ("ComparisonView", "#rendered", "PinnedView", "FormatForm")
                if bench.lab.query_one(selector).display
                and bench.lab.query_one(selector).size.height > 3
            ]
            seen += shown
            assert len(shown) == 1
            assert bench.editor.size.height > 5
            await bench.pilot.press("ctrl+t")
            await bench.pilot.pause()
        assert seen == ["ComparisonView", "#rendered", "PinnedView", "FormatForm"]


async def test_without_a_model_the_stored_answers_are_shown(recorded: Path, tmp_path: Path) -> None:
    def client() -> WorkerClient:
        return WorkerClient(command=fake_command("--load-error"), log_path=tmp_path / "log")

    session = Session(open_store(recorded, read_only=True), read_only=True, make_client=client)
    async with ExplorerApp(session).run_test(size=LARGE) as pilot:
        bench = Bench(pilot)
        await settle(pilot)
        await pilot.press("L")
        await until(pilot, lambda: "There is no model in" in text_of(bench.app))
        assert "%" in bench.compared("A 0")
    session.close()


# Sweeps


@covers("lab.sweep")
async def test_a_sweep_is_stored_and_its_table_opens(opened: Open) -> None:
    async with opened() as bench:
        await bench.pilot.press("f8")
        screen = await bench.to(SweepScreen)
        options = screen.query_one(OptionList)
        options.highlighted = options.get_option_index("label-style")
        screen.query_one("#limit", Input).value = "3"
        await bench.pilot.press("enter")
        study = await bench.to(StudyScreen)
        assert study._study.name == "sweep"
        plan = stored_plan(bench.app.session.store, study._scope.runs[0])
        assert plan.sweep
        assert [point.label for point in plan.sweep.points] == ["A.", "(A)", "1."]
        assert plan.settings.samples == 0


async def test_a_sweep_of_the_sampler_takes_a_run_a_value(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each begins as soon as the one before has told its end, even from a slow thread."""
    tell = Session.run_ended

    def tell_and_linger(self: Session, ended: RunEnded) -> None:
        tell(self, ended)
        time.sleep(0.2)

    monkeypatch.setattr(Session, "run_ended", tell_and_linger)
    async with opened() as bench:
        await bench.pilot.press("f8")
        screen = await bench.to(SweepScreen)
        options = screen.query_one(OptionList)
        options.highlighted = options.get_option_index("temperature")
        screen.query_one("#values", Input).value = "0,1"
        screen.query_one("#limit", Input).value = "2"
        await bench.pilot.press("enter")
        study = await bench.to(StudyScreen)
        plans = [stored_plan(bench.app.session.store, run) for run in study._scope.runs]
        assert [plan.settings.sampler.temperature for plan in plans] == [0, 1]


@covers("sweep.close")
async def test_a_sweep_that_can_not_be_says_why(opened: Open) -> None:
    async with opened() as bench:
        await bench.pilot.press("f8")
        screen = await bench.to(SweepScreen)
        options = screen.query_one(OptionList)
        options.highlighted = options.get_option_index("example-letter")
        await bench.pilot.press("enter")
        await until(bench.pilot, lambda: "-error" in screen.query_one("#problem").classes)
        screen.query_one("#limit", Input).value = "none"
        await bench.pilot.press("enter")
        await until(bench.pilot, lambda: "no whole number" in text_of(bench.app))
        await bench.pilot.press("escape")
        await bench.to(LabScreen)


@pytest.mark.slow
async def test_one_blank_in_the_cue(tmp_path: Path) -> None:
    """With the embedded model: the changed prompt and its new distribution are shown."""
    questions = EMBEDDED_MODEL.parent / "questions" / "knowledge.jsonl"
    settings = ProbeSettings(samples=0, max_new_tokens=8)
    formats = ("mmlu-original:shots=0",)
    plan = plan_run(str(EMBEDDED_MODEL), str(questions), formats, settings, limit=4)
    with open_store(tmp_path / "x.duckdb") as store, WorkerClient(niceness=0) as client:
        execute(store, plan, client)
    session = Session(open_store(tmp_path / "x.duckdb"))
    async with ExplorerApp(session).run_test(size=(160, 45)) as pilot:
        bench = Bench(pilot)
        await bench.open()
        assert bench.editor.text.rstrip().endswith('Answer:"""')
        await bench.write('delimiter = ""\n' + changed(bench.editor.text, "Answer:", "Answer: "))
        assert "trailing-space" in bench.lines(RenderedPromptView)
        assert re.search(r"[+−]\d", bench.compared("other tokens"))
        await bench.pilot.press("f3")
        await bench.pilot.pause()
        assert "{+·+}" in bench.lines(PromptDiffView)
    session.close()
