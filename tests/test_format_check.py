"""``logitscope formats``: checking formats, comparing two of them, and looking at prompts."""

from __future__ import annotations

import functools
import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import pytest
from rich.cells import cell_len

from engine.checks import RULES
from engine.client import WorkerClient
from engine.demo import EMBEDDED_MODEL
from engine.errors import CancelledError
from engine.format_check import check_formats
from engine.format_diff import compare_formats
from engine.formats import PromptFormat
from engine.planning import plan_run
from engine.prompt_diff import diff
from engine.questions import load_questions
from engine.records import ProbeSettings
from engine.single import probe_one
from engine.special_tokens import special_ids
from tests.fake_worker import fake_command
from tests.tiny_models import save_tiny
from tui import cli
from tui.prompt_text import edges_visible, marked

QUESTIONS = str(Path(__file__).resolve().parents[1] / "sample_data/questions/knowledge.jsonl")
SETTINGS = ProbeSettings(samples=0, max_new_tokens=1)
PLAIN = PromptFormat("plain", "{{ question }}\n{{ options }}\nAnswer:", chat=False)
SPACED = PromptFormat("spaced", "{{ question }}\n{{ options }}\nAnswer: ", chat=False, delimiter="")


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def logitscope(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """Run ``logitscope formats ...`` in this process."""

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["logitscope", "formats", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return Outcome(int(ended.value.code or 0), *capsys.readouterr())

    return run


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let a worker without a model answer."""
    client = functools.partial(
        WorkerClient, command=fake_command(), log_path=tmp_path / "worker.log"
    )
    monkeypatch.setattr("engine.client.WorkerClient", client)


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch, client: WorkerClient) -> None:
    """Let every command ask the one real worker, which then need not start anew."""
    for module in ("client", "format_diff", "single"):
        monkeypatch.setattr(f"engine.{module}.WorkerClient", lambda niceness: nullcontext(client))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerClient]:
    """A real worker, for the embedded model."""
    log = tmp_path_factory.mktemp("worker") / "worker.log"
    with WorkerClient(log_path=log, niceness=0) as started:
        yield started


# check


@pytest.mark.slow
def test_a_check_counts_what_probing_one_by_one_finds(client: WorkerClient) -> None:
    """Off-option answers of the least strict level, counted by hand."""
    plan = plan_run(str(EMBEDDED_MODEL), QUESTIONS, ["low"], SETTINGS, limit=6)
    off = []
    for index, question in enumerate(plan.questions):
        probe = probe_one(plan, index=index, client=client)
        top = {reading.name: reading for reading in probe.readings}["vocab_argmax"]
        if top.label not in question.labels:
            off.append(index)
    (found,) = check_formats(plan, client)
    assert (found.format, found.questions, found.probed) == ("low", 6, True)
    counted = {finding.code: (finding.questions, finding.first) for finding in found.findings}
    assert off
    assert counted["off-option-top"] == (len(off), off[0])


@pytest.mark.slow
def test_a_check_finds_what_is_wrong_with_a_prompt(client: WorkerClient) -> None:
    plan = plan_run(str(EMBEDDED_MODEL), QUESTIONS, [PLAIN, SPACED], SETTINGS, limit=3)
    plain, spaced = check_formats(plan, client, probe=False)
    assert plain.passed
    assert plain.findings == ()
    assert not spaced.passed
    found = {finding.code: finding for finding in spaced.findings}
    assert {"trailing-space", "boundary-merge"} <= set(found)
    assert found["trailing-space"].questions == 3
    assert found["trailing-space"].first == 0
    assert list(found) == [code for code in RULES if code in found]
    assert (plain.probed, spaced.probed) == (False, False)


@pytest.mark.slow
def test_a_prompt_is_checked_with_the_room_that_a_run_needs(client: WorkerClient) -> None:
    """The embedded model's window is 1024 tokens: this fits alone, but not with 1000 new ones."""
    for room, codes in ((1, set()), (1000, {"truncated"})):
        settings = ProbeSettings(samples=0, max_new_tokens=room)
        plan = plan_run(str(EMBEDDED_MODEL), QUESTIONS, [PLAIN], settings, limit=1)
        (found,) = check_formats(plan, client)
        prompt_codes = {finding.code for finding in found.findings} & {"truncated"}
        assert prompt_codes == codes


def test_a_check_can_be_stopped(tmp_path: Path) -> None:
    stop = threading.Event()
    plan = plan_run("fake", QUESTIONS, ["low"], SETTINGS, limit=4)
    with WorkerClient(log_path=tmp_path / "log", command=fake_command()) as fake_client:
        checks = check_formats(plan, fake_client, on_note=lambda note: stop.set(), stop=stop)
        with pytest.raises(CancelledError):
            next(checks)


def test_a_question_that_cannot_be_asked_is_a_finding(tmp_path: Path) -> None:
    second = load_questions(QUESTIONS, limit=2)[1].id
    plan = plan_run("fake", QUESTIONS, ["low"], SETTINGS, limit=3)
    with WorkerClient(log_path=tmp_path / "log", command=fake_command("--fail", second)) as other:
        (found,) = check_formats(plan, other)
    failed = {finding.code: finding for finding in found.findings}["not-asked"]
    assert (failed.questions, failed.first) == (1, 1)
    assert f"can't show {second}" in failed.message
    assert not found.passed


@pytest.mark.usefixtures("fake")
def test_the_command_prints_each_warning_once(logitscope: Callable[..., Outcome]) -> None:
    asked = ("check", "low", "high", "--questions", QUESTIONS, "--model", "fake", "--limit", 4)
    done = logitscope(*asked)
    assert done.code == 1
    assert done.out.count("no-chat-template: 4 of 4 questions, first at index 0") == 2
    assert "low: 4 questions, scored by first_token\n" in done.out
    assert "This model is a fake." in done.err
    checks = json.loads(logitscope(*asked, "--json").out)
    assert [check["format"] for check in checks] == ["low", "high"]
    assert [check["passed"] for check in checks] == [False, False]
    finding = checks[0]["findings"][0]
    assert (finding["code"], finding["questions"]) == ("no-chat-template", 4)


@pytest.mark.usefixtures("fake")
def test_a_check_without_the_model_says_so(logitscope: Callable[..., Outcome]) -> None:
    done = logitscope("check", "low", "--questions", QUESTIONS, "--model", "fake", "--no-probe")
    assert "the model was not asked" in done.out
    assert "first-token" not in done.out
    assert done.code == 1


@pytest.mark.slow
@pytest.mark.usefixtures("real")
def test_a_check_without_findings_is_0(logitscope: Callable[..., Outcome], tmp_path: Path) -> None:
    path = tmp_path / "plain.toml"
    path.write_text('user = "{{ question }}\\n{{ options }}\\nAnswer:"\nchat = false\n')
    done = logitscope(
        *("check", path, "--questions", QUESTIONS, "--model", EMBEDDED_MODEL, "--no-probe")
    )
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        f"{path.stem}: 20 questions, scored by first_token, the model was not asked\n"
        "  nothing to warn about\n"
    )


@pytest.mark.parametrize(
    "wrong",
    [
        ("check", "nonsense", "--questions", QUESTIONS, "--model", "x"),
        ("check", "low", "--questions", "absent.jsonl", "--model", "x"),
        ("check", "low", "--questions", QUESTIONS, "--model", "x", "--limit", 0),
        ("diff", "low", "nonsense", "--questions", QUESTIONS),
        ("diff", "low", "high", "--questions", QUESTIONS, "--index", 100_000),
        ("diff", "low", "high"),
    ],
)
def test_trouble_is_2(logitscope: Callable[..., Outcome], wrong: tuple[object, ...]) -> None:
    done = logitscope(*wrong)
    assert done.code == 2
    assert done.out == ""
    assert "Traceback" not in done.err
    assert done.err


# diff


@pytest.mark.slow
def test_two_formats_are_compared_beyond_their_text(client: WorkerClient) -> None:
    found = compare_formats(
        str(EMBEDDED_MODEL), QUESTIONS, 0, "high", "mmlu-original:shots=0", client=client
    )
    assert found.first_difference == 0  # only one is a chat
    named = {row.name: (row.one, row.other) for row in found.differences}
    assert named["written as"] == ("chat", "raw text")
    assert named["delimiter"] == ("''", "' '")
    assert named["tokens"] == (str(len(found.one.token_ids)), str(len(found.other.token_ids)))
    assert named["label tokens"][0].startswith(f"'A' {found.one.label_ids[0]}, 'B' ")
    assert named["label tokens"][1].startswith(f"' A' {found.other.label_ids[0]}, ' B' ")
    assert named["too_long"] == ("truncate-left", "drop-shots")
    assert "shots used" not in named
    assert not found.same


@pytest.mark.slow
def test_a_difference_that_no_text_shows_is_one(client: WorkerClient) -> None:
    scored = PromptFormat("scored", PLAIN.user, chat=False, scored_by="continuation")
    found = compare_formats(str(EMBEDDED_MODEL), QUESTIONS, 0, PLAIN, scored, client=client)
    assert found.first_difference is None
    assert [(row.name, row.one, row.other) for row in found.differences] == [
        ("scored_by", "first_token", "continuation")
    ]
    assert not found.same
    named = PromptFormat("other name", PLAIN.user, chat=False, source="elsewhere")
    again = compare_formats(str(EMBEDDED_MODEL), QUESTIONS, 0, PLAIN, named, client=client)
    assert again.same


@pytest.mark.slow
@pytest.mark.usefixtures("real")
def test_the_command_shows_what_differs_without_colour(
    logitscope: Callable[..., Outcome], tmp_path: Path
) -> None:
    for name, end in (("one", "Answer:"), ("other", "Answer (a letter):")):
        user = '"{{ question }}\\n{{ options }}\\n' + end + '"'
        (tmp_path / f"{name}.toml").write_text(f"user = {user}\nchat = false\n")
    paths = (tmp_path / "one.toml", tmp_path / "other.toml")
    done = logitscope("diff", *paths, "--questions", QUESTIONS)
    assert done.code == 1
    assert "Answer{+·(a·letter)+}:" in done.out
    assert "\x1b" not in done.out
    asked = logitscope("diff", *paths, "--questions", QUESTIONS, "--json")
    parts = json.loads(asked.out)
    assert {"kind": "added", "text": " (a letter)"} in parts["changes"]
    assert parts["first_difference"] == parts["one"]["text"].index(":", -1)
    assert not parts["same"]
    same = logitscope("diff", paths[0], paths[0], "--questions", QUESTIONS)
    assert (same.code, same.out) == (0, "")


def test_long_stretches_that_are_the_same_are_left_out() -> None:
    lines = "".join(f"line {number}\n" for number in range(20))
    changes = diff(f"{lines}end", f"{lines}End")
    shown = marked(changes).plain
    assert "… 14 lines the same …" in shown
    assert "line·2↵\n" in shown
    assert "line·3↵" not in shown
    assert shown.endswith("line·19↵\n{-e-}{+E+}nd")
    assert "line·3↵" in marked(changes, None).plain


def test_a_line_that_is_added_keeps_its_sign_on_its_line() -> None:
    assert marked(diff("a\nb", "a\nnew\nb")).plain == "a↵\n{+new↵+}\nb"


def test_colours_come_on_top_of_the_signs() -> None:
    shown = marked(diff("is", "was"))
    assert [(str(span.style), shown.plain[span.start : span.end]) for span in shown.spans] == [
        ("red", "{-is-}"),
        ("green", "{+was+}"),
    ]


# list, show, render


def test_formats_are_listed_by_kind_with_their_reading(logitscope: Callable[..., Outcome]) -> None:
    rows = json.loads(logitscope("list", "--json").out)
    levels = [row["name"] for row in rows if row["kind"] == "constraint level"]
    assert levels == ["low", "middle", "high", "example"]
    assert [row["kind"] for row in rows] == sorted(row["kind"] for row in rows)
    assert {row["name"]: row["scored by"] for row in rows}["mmlu-original"] == "first_token"


def test_a_format_is_shown_with_its_source_and_its_blanks(
    logitscope: Callable[..., Outcome],
) -> None:
    shown = logitscope("show", "example").out
    assert "arXiv:2402.14499" in shown
    assert "Answer: {{ example_letter }}·↵" in shown
    assert "scored_by              first_token" in shown
    assert "fields.example_letter  C" in shown
    assert "{text}·" in shown


def test_only_blanks_that_are_easily_missed_become_signs() -> None:
    assert edges_visible("a b  c \n d·") == "a b··c·↵\n·d⟨U+B7⟩"
    assert cell_len(edges_visible("\t")) == 1


@pytest.mark.slow
@pytest.mark.usefixtures("real")
def test_a_prompt_can_be_looked_at_token_by_token(logitscope: Callable[..., Outcome]) -> None:
    asked = ("render", "high", "--questions", QUESTIONS)
    prompt = json.loads(logitscope(*asked, "--json").out)
    lines = logitscope(*asked, "--tokens").out.splitlines()
    special = [line.split()[:3] for line in lines if line.rstrip().endswith(" special")][1:]
    turns = [
        [str(place), str(token_id), piece]
        for place, (token_id, piece) in enumerate(
            zip(prompt["token_ids"], prompt["pieces"], strict=True)
        )
        if piece in ("<|im_start|>", "<|im_end|>")
    ]
    assert special == turns
    ids = [line.split()[1] for line in lines if line.split() and line.split()[0].isdigit()]
    assert ids == [str(token_id) for token_id in prompt["token_ids"]]


@pytest.mark.slow
@pytest.mark.usefixtures("real")
def test_a_prompt_can_be_looked_at_with_its_blanks(logitscope: Callable[..., Outcome]) -> None:
    asked = ("render", "high", "--questions", QUESTIONS)
    text = logitscope(*asked).out
    shown = logitscope(*asked, "--visible").out
    assert shown.replace("↵\n", "\n").replace("·", " ") == text
    assert " " not in shown


def test_special_tokens_are_those_of_the_tokenizer_file(tmp_path: Path) -> None:
    folder = save_tiny(tmp_path)
    assert special_ids(str(folder)) == {0, 1}
    (folder / "tokenizer.json").rename(folder / "vocab.json")
    assert special_ids(str(folder)) is None
