"""Sweeps: the prompts of every point, the runs that they make, and what can't be swept over."""

from __future__ import annotations

import json
import shlex
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.client import WorkerClient
from engine.errors import LogitscopeError
from engine.formats import PromptFormat, load_format
from engine.plan_checks import check_formats
from engine.planning import RunPlan
from engine.prompt import render, render_text
from engine.questions import Option, Question
from engine.records import ProbeSettings
from engine.runs import decode_plan, execute, plan_run, plan_to_resume
from engine.store import Store, open_store
from engine.sweeps import AXES, Point, axis, finished_runs, parse_sweep, sweep_plans
from engine.swept import Swept, SweptPoint
from tests.fake_worker import fake_command
from tests.test_runs import answers, assert_whole, fetch, stop_when, write_questions
from tests.tiny_tokenizers import byte_level
from tui import cli

REPO = Path(__file__).resolve().parents[1]
QUESTION = Question(
    "Which colour is the sky?",
    tuple(Option(*pair) for pair in zip("ABCD", ["red", "blue", "green", "black"], strict=True)),
    gold="B",
    subject="every_day",
)
SHOT = Question("Is snow hot?", (Option("A", "no"), Option("B", "yes")), "A", "every_day")
START = (
    "Please read the multiple-choice question below carefully and select ONE of the listed options"
)
ASKED = "Question: Which colour is the sky?\n\n"
LINES = "A. red \nB. blue \nC. green \nD. black "
RAW = "Which colour is the sky?\nA. red\nB. blue\nC. green\nD. black\n"
SHOWN = "Is snow hot?\nA. no\nB. yes\n"
HEADER = "The following are multiple choice questions (with answers) about  every day.\n\n"

SETTINGS = ProbeSettings(samples=2)
COUNT = 5


def points(text: str, fmt: str | PromptFormat = "middle") -> list[Point]:
    over, values = parse_sweep(text)
    base = fmt if isinstance(fmt, PromptFormat) else load_format(fmt)
    return over.points(base, [QUESTION], values)


def users(made: list[Point]) -> dict[str, str]:
    """The user turn of every point, by its label."""
    return {point.label: render_text(QUESTION, point.fmt).user for point in made}


# Points


def test_levels() -> None:
    assert users(points("level")) == {
        "low": f"{START}. \n{ASKED}{LINES}\nAnswer:",
        "middle": f"{START} and only give a single letter. \n{ASKED}{LINES}\nAnswer:",
        "high": f"{START} and start your answer with a single letter. \n{ASKED}{LINES}\nAnswer:",
        "example": f"{START}. Reply in the form of this example: \nAnswer: C \n{ASKED}{LINES}\n"
        "Answer:",
    }
    assert [point.label for point in points("level=high,low")] == ["high", "low"]


def test_example_letters() -> None:
    made = points("example-letter", "example")
    assert users(made) == {
        letter: f"{START}. Reply in the form of this example: \nAnswer: {letter} \n{ASKED}{LINES}\n"
        "Answer:"
        for letter in ("C", "A", "B", "D", "A/B/C")
    }
    assert [point.fmt.name for point in made] == [
        "example",
        *(f"example:example_letter={letter}" for letter in ("A", "B", "D", "A/B/C")),
    ]
    again = points("example-letter=A,B", "example:example_letter=D")
    assert [point.fmt.name.count("=") for point in again] == [1, 1]
    assert [point.label for point in points("example_letter=B,Z", "example")] == ["B", "Z"]


def test_letters_that_most_questions_have() -> None:
    long = msgspec.structs.replace(
        QUESTION, options=(*QUESTION.options, Option("E", "a"), Option("F", "b"))
    )
    made = axis("example-letter").points(load_format("example"), [QUESTION, long, QUESTION])
    assert [point.label for point in made] == ["C", "A", "B", "D", "A/B/C"]


def test_orders() -> None:
    made = points("orders=3")
    assert [(point.label, point.order) for point in made] == [
        ("as written", 0),
        ("order 1", 1),
        ("order 2", 2),
    ]
    assert {point.fmt.name for point in made} == {"middle"}
    assert len(points("orders")) == 4


def test_shots() -> None:
    made = points("shots", "mmlu-original")
    assert [(point.label, point.fmt.shots) for point in made] == [(str(n), n) for n in range(6)]
    assert [point.fmt.name for point in made[-2:]] == ["mmlu-original:shots=4", "mmlu-original"]


@pytest.mark.parametrize(
    ("value", "label", "end", "example", "answer"),
    [
        ("as-is", "as it is", "Answer:", "Answer: A", " B"),
        ("space", "trailing space", "Answer: ", "Answer: A", "B"),
        ("newline", "newline", "Answer:\n", "Answer:\nA", "B"),
        ("bold", "bold", "**Answer:**", "**Answer:** A", " B"),
        ("none", "no cue", "", "A", "B"),
        ("The letter is", "The letter is", "The letter is", "The letter is A", " B"),
    ],
)
def test_cues(value: str, label: str, end: str, example: str, answer: str) -> None:
    (point,) = points(f"cue={value}", "mmlu-original:shots=1")
    assert point.label == label
    prompt = render(QUESTION, QUESTION.id, 0, point.fmt, byte_level(), shots=[SHOT])
    assert prompt.text == f"{HEADER}{SHOWN}{example}\n\n{RAW}{end}"
    letters = [each.text for each in prompt.continuations if each.kind == "label"]
    assert letters[1] == answer


def test_a_cue_after_an_example_line() -> None:
    assert users(points("cue=bold", "example"))["bold"] == (
        f"{START}. Reply in the form of this example: \n**Answer:** C \n{ASKED}{LINES}\n**Answer:**"
    )


def test_a_cue_that_begins_the_answer() -> None:
    fmt = PromptFormat("ready", "{{ question }}", prefill="Answer:", delimiter=" ")
    bold, newline = (point.fmt for point in points("cue=bold,newline", fmt))
    assert (bold.user, bold.prefill, bold.delimiter) == (fmt.user, "**Answer:**", " ")
    assert (newline.prefill, newline.cue) == ("Answer:\n", "Answer:\n")


def test_label_styles() -> None:
    styles = {
        "A.": "A. red \nB. blue \nC. green \nD. black ",
        "(A)": "(A) red \n(B) blue \n(C) green \n(D) black ",
        "1.": "1. red \n2. blue \n3. green \n4. black ",
        "a)": "a) red \nb) blue \nc) green \nd) black ",
    }
    made = points(f"label-style={','.join(styles)}", "example")
    assert [point.label for point in made] == list(styles)
    plan = plan_of(["example"], "example")
    for point, (style, lines) in zip(made, styles.items(), strict=True):
        shown = msgspec.structs.replace(plan, formats=(point.fmt,), questions=(QUESTION,))
        question = next(shown.probes()).item.question
        letter = {"1.": "3", "a)": "c"}.get(style, "C")
        assert render_text(question, point.fmt).user == (
            f"{START}. Reply in the form of this example: \nAnswer: {letter} \n{ASKED}{lines}\n"
            "Answer:"
        )
        assert question.gold == {"1.": "2", "a)": "b"}.get(style, "B")


def test_system_texts() -> None:
    made = points('system=off,on,"Be brief, please."')
    assert [render_text(QUESTION, point.fmt).system for point in made] == [
        "",
        "You are a helpful assistant.",
        "Be brief, please.",
    ]
    assert [point.fmt.name for point in made] == [
        "middle",
        "middle:system=on",
        "middle:system=Be-brief-please.",
    ]
    own = msgspec.structs.replace(load_format("middle"), name="mine", system="Answer as a judge.")
    assert [(point.fmt.name, point.fmt.system) for point in points("system", own)] == [
        ("mine:system=off", ""),
        ("mine", "Answer as a judge."),
    ]


def test_settings_of_the_sampler() -> None:
    made = points("temperature=0,0.5")
    assert [(point.label, point.setting) for point in made] == [
        ("0", ("temperature", 0.0)),
        ("0.5", ("temperature", 0.5)),
    ]
    assert [point.setting for point in points("repetition-penalty=1.1")] == [
        ("repetition_penalty", 1.1)
    ]


@pytest.mark.parametrize("over", AXES, ids=lambda over: over.name)
def test_every_axis(over: object, tmp_path: Path) -> None:
    """The usual values and those that its line names are good ones; names tell points apart."""
    assert over in AXES
    assert isinstance(over, type(AXES[0]))
    fmt = load_format(over.format_of(None))
    for values in ((), over.example.split(",")):
        made = over.points(fmt, [QUESTION], values)
        assert len(made) > 1
        formats = {point.fmt.name: point.fmt for point in made}
        check_formats(tuple(formats.values()))
        assert not any(mark in name for name in formats for mark in ", \n")
        asked = [(point.fmt.name, point.order, point.setting) for point in made]
        assert len(set(asked)) == len(made)
    usual = [point.label for point in over.points(fmt, [QUESTION])]
    named = [point.label for point in over.points(fmt, [QUESTION], over.example.split(","))]
    assert usual == named


@given(st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip))
def test_any_text_makes_a_name(text: str) -> None:
    (point,) = axis("system").points(load_format("low"), [QUESTION], [text])
    assert point.fmt.system == {"off": "", "on": "You are a helpful assistant."}.get(text, text)
    tail = point.fmt.name.removeprefix("low")
    assert not tail or (tail.startswith(":system=") and tail.count(":") == 1)
    assert not any(mark.isspace() or mark == "," for mark in tail)


@pytest.mark.parametrize(
    ("text", "fmt", "sentence"),
    [
        ("colour", "low", "no sweep over 'colour'"),
        ("cue=", "low", "'cue=' is empty"),
        ("cue=bold,,space", "low", "is empty"),
        ("level=medium", "low", "no constraint level 'medium'"),
        ("level=low,low", "low", "constraint level has the value low twice"),
        ("example-letter", "low", "low shows no example letter"),
        ("orders=0", "low", "number of orders is 0"),
        ("orders=1,2", "low", "orders can't have '1,2'"),
        ("shots", "low", "low has no template for worked examples"),
        ("shots=two", "mmlu-original", "shots can't have 'two'"),
        ("label-style=x", "low", "'x' is no label style"),
        ("label-style=A/B", "low", "'A/B' is no label style"),
        ("temperature=warm", "low", "'warm' of the sweep over temperature are no numbers"),
    ],
)
def test_what_is_no_sweep(text: str, fmt: str, sentence: str) -> None:
    with pytest.raises(LogitscopeError) as caught:
        points(text, fmt)
    assert sentence in caught.value.sentence
    assert caught.value.sentence.endswith(".")


def test_a_prompt_that_does_not_end_with_its_cue() -> None:
    fmt = PromptFormat("bare", "{{ question }}")
    with pytest.raises(LogitscopeError, match="bare does not end with its cue 'Answer:'"):
        points("cue", fmt)


# Plans


def plan_of(formats: list[str], name: str, folder: Path | None = None) -> RunPlan:
    source = REPO / "sample_data/questions/knowledge.jsonl"
    if folder is not None:
        source = write_questions(folder, COUNT)
    return plan_run("fake", str(source), formats, SETTINGS, limit=COUNT, name=name)


def test_a_sweep_over_the_prompt_is_one_run(tmp_path: Path) -> None:
    base = plan_of(["middle"], "quiz", tmp_path)
    (plan,) = sweep_plans(base, *parse_sweep("cue=as-is,bold"))
    assert [fmt.name for fmt in plan.formats] == ["middle", "middle:cue=bold"]
    assert (plan.name, plan.orders, plan.planned) == ("quiz · answer cue", 1, 2 * COUNT)
    assert plan.sweep == Swept(
        "cue", (SweptPoint("as it is", "middle"), SweptPoint("bold", "middle:cue=bold"))
    )
    assert decode_plan(plan.to_json()).sweep == plan.sweep


def test_a_sweep_over_orders_asks_them_all(tmp_path: Path) -> None:
    (plan,) = sweep_plans(plan_of(["low"], "quiz", tmp_path), *parse_sweep("orders=3"))
    assert (plan.orders, plan.planned) == (3, 3 * COUNT)
    assert isinstance(plan.sweep, Swept)
    assert [point.order for point in plan.sweep.points] == [0, 1, 2]


def test_a_sweep_over_the_sampler_is_a_run_for_each_value(tmp_path: Path) -> None:
    base = plan_of(["low", "high"], "quiz", tmp_path)
    plans = sweep_plans(base, *parse_sweep("temperature=0,1"))
    assert [plan.name for plan in plans] == ["quiz · temperature 0", "quiz · temperature 1"]
    assert [plan.settings.sampler.temperature for plan in plans] == [0, 1]
    assert plans[0].sweep == plans[1].sweep
    assert isinstance(plans[0].sweep, Swept)
    assert [(point.format, point.label) for point in plans[0].sweep.points] == [
        ("low", "0"),
        ("low", "1"),
        ("high", "0"),
        ("high", "1"),
    ]


def test_worked_examples_are_looked_for(tmp_path: Path) -> None:
    """The format has none of its own: the plan has to find them."""
    base = plan_of(["mmlu-original:shots=0"], "quiz")
    assert base.dev == ()
    (plan,) = sweep_plans(base, *parse_sweep("shots=0,2"))
    shots = [len(probe.item.shots) for probe in plan.probes()]
    assert shots == [0] * COUNT + [2] * COUNT
    with pytest.raises(LogitscopeError, match="500 worked examples are wanted"):
        sweep_plans(base, *parse_sweep("shots=0,500"))
    with pytest.raises(LogitscopeError, match="can have 0 from its dev split"):
        sweep_plans(plan_of(["mmlu-original"], "quiz", tmp_path), *parse_sweep("shots"))


@pytest.mark.parametrize(
    ("formats", "text", "sentence"),
    [
        (["low", "high"], "cue", "changes one format, not 2"),
        (["low"], "label-style=1.", "9 labels, but question 0 has 10 options"),
        (["low"], "system={{", "line 1 of template 'system'"),
        (["low"], "temperature=-1", "temperature is -1"),
    ],
)
def test_points_that_cannot_be_asked(
    tmp_path: Path, formats: list[str], text: str, sentence: str
) -> None:
    path = tmp_path / "long.jsonl"
    path.write_text(json.dumps({"question": "?", "choices": [f"{n}" for n in range(10)]}))
    plan = plan_run("fake", str(path), formats, SETTINGS)
    with pytest.raises(LogitscopeError) as caught:
        sweep_plans(plan, *parse_sweep(text))
    assert sentence in caught.value.sentence


def test_plans_without_a_sweep_are_as_they_were(tmp_path: Path) -> None:
    plan = plan_of(["low"], "quiz", tmp_path)
    stored = json.loads(plan.to_json())
    assert "sweep" not in stored
    assert decode_plan(json.dumps(stored)).sweep is msgspec.UNSET


# Runs


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "runs.duckdb") as opened:
        yield opened


@pytest.fixture
def client(tmp_path: Path) -> Iterator[WorkerClient]:
    log = tmp_path / "worker.log"
    with WorkerClient(log_path=log, command=fake_command(), niceness=0) as client:
        yield client


@pytest.fixture
def slow_client(tmp_path: Path) -> Iterator[WorkerClient]:
    command = fake_command("--delay", "0.1")
    with WorkerClient(log_path=tmp_path / "slow.log", command=command, niceness=0) as client:
        yield client


def test_a_sweep_is_stored_and_goes_on(
    tmp_path: Path, store: Store, client: WorkerClient, slow_client: WorkerClient
) -> None:
    base = plan_of(["example"], "quiz", tmp_path)
    (plan,) = sweep_plans(base, *parse_sweep("example-letter=C,A,A/B/C"))
    whole = execute(store, plan, client).run_id
    assert_whole(store, plan, whole)
    stop = threading.Event()
    watch = stop_when(stop, lambda progress: progress.done >= 4)
    cut = execute(store, plan, slow_client, stop=stop, on_progress=watch)
    assert cut.status == "cancelled"
    assert 4 <= cut.stored < plan.planned
    assert finished_runs(store, [plan]) == [whole]
    again = execute(store, plan, client, resume=True)
    assert again.run_id == cut.run_id
    assert_whole(store, plan, cut.run_id)
    assert answers(store, whole) == answers(store, cut.run_id)
    assert finished_runs(store, [plan]) == [cut.run_id]
    assert plan_to_resume(store, whole).fingerprint == plan.fingerprint
    assert fetch(store, "SELECT DISTINCT kind FROM runs") == [("run",)]


# The command

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def logitscope(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Command:
    """Run ``logitscope`` with a fake worker: exit code, what it printed and what it said."""

    def fake_client(**_: object) -> WorkerClient:
        return WorkerClient(command=fake_command(), log_path=tmp_path / "c.log", niceness=0)

    monkeypatch.setattr("engine.client.WorkerClient", fake_client)

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["logitscope", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


def test_the_command_lists_axes(logitscope: Command) -> None:
    for arguments in (("sweep",), ("sweep", "--list")):
        code, printed, said = logitscope(*arguments)
        assert (code, said) == (0, "")
        assert all(f" {over.name} " in printed for over in AXES)
    code, printed, _ = logitscope("sweep", "--json")
    assert [row["axis"] for row in json.loads(printed)] == [over.name for over in AXES]


def test_the_command_sweeps(logitscope: Command, tmp_path: Path) -> None:
    questions, db = write_questions(tmp_path, COUNT), tmp_path / "mine.duckdb"
    command = ("sweep", "example-letter=C,A", questions, "--model", "fake", "--db", db)
    code, printed, said = logitscope(*command)
    assert code == 0
    assert f"{2 * COUNT} of {2 * COUNT} probes" in said
    tables, _, bars = printed.partition("Probability of each label over example letter")
    assert "The points of a sweep" in tables
    assert bars.count("█") > 10
    with open_store(db) as store:
        assert fetch(store, "SELECT formats, name FROM runs") == [
            (["example", "example:example_letter=A"], "quiz · fake · example letter")
        ]
        store.finish_run(1, "cancelled")
    code, printed, said = logitscope(*command, "--resume", "--json")
    assert code == 0
    assert [row["point"] for row in json.loads(printed)["points"]] == ["C", "A"]
    assert "Run 1 " in said
    code, printed, _ = logitscope("report", "sweep", "--db", db, "--json")
    assert [row["point"] for row in json.loads(printed)["points"]] == ["C", "A"]
    code, printed, said = logitscope(*command, "--resume")
    assert (code, printed) == (cli.EXIT_FAILED, "")
    assert "nothing to resume" in said


def test_the_command_sweeps_over_the_sampler(logitscope: Command, tmp_path: Path) -> None:
    """What is shown is the whole sweep, also where only one of its runs was left."""
    questions, db = write_questions(tmp_path, COUNT), tmp_path / "mine.duckdb"
    command = ("sweep", "temperature=0,1", questions, "--model", "fake", "--db", db, "--json")
    code, printed, _ = logitscope(*command, "--samples", "2")
    assert code == 0
    rows = json.loads(printed)["points"]
    assert [(row["run_id"], row["point"]) for row in rows] == [(1, "0"), (2, "1")]
    with open_store(db) as store:
        store.finish_run(2, "cancelled")
    code, printed, said = logitscope(*command, "--samples", "2", "--resume")
    assert code == 0
    assert "Run 1 " not in said
    assert [row["run_id"] for row in json.loads(printed)["points"]] == [1, 2]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("cue", "q.jsonl", "--db", "x.duckdb"), 2, "A sweep needs --model"),
        (("cue",), 2, "A sweep needs QUESTIONS and --model and --db"),
        (("colour", "{q}", "-m", "fake", "--db", "{db}"), 1, "no sweep over 'colour'"),
        (("level", "{q}", "-m", "fake", "--db", "{db}", "-f", "low"), 1, "Leave --format out"),
        (("temperature", "{q}", "-m", "fake", "--db", "{db}"), 1, "with --samples"),
        (("shots", "{q}", "-m", "fake", "--db", "{db}"), 1, "can have 0 from its dev split"),
    ],
)
def test_the_command_refuses_in_one_sentence(
    logitscope: Command, tmp_path: Path, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    db = tmp_path / "mine.duckdb"
    given = [part.format(q=write_questions(tmp_path, 2), db=db) for part in arguments]
    ended, printed, said = logitscope("sweep", *given)
    assert (ended, printed) == (code, "")
    assert sentence in " ".join(said.replace("│", " ").split())
    assert "Traceback" not in said
    assert not db.exists()


@pytest.mark.slow
def test_the_commands_of_the_documentation(
    logitscope: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command in docs/sweeps.md runs, in order; every axis is among them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sample_data").symlink_to(REPO / "sample_data")
    text = (REPO / "docs/sweeps.md").read_text("utf-8").replace("--limit 40", "--limit 2")
    blocks = text.split("```")[1::2]
    joined = "".join(block.removeprefix("\n") for block in blocks).replace("\\\n", " ")
    commands = [shlex.split(line) for line in joined.splitlines() if line.startswith("logitscope")]
    for words in commands:
        code, printed, said = logitscope(*words[1:])
        assert code == 0, said
        assert printed or words[1] == "run"
    swept = {words[2].partition("=")[0] for words in commands if words[1] == "sweep"}
    assert {over.name for over in AXES} <= swept
