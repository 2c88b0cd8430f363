"""Every command in the README and in docs/ is run, or at least understood, as it stands there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pexpect
import pytest
import typer
from typer.core import TyperGroup

from engine.client import WorkerClient
from engine.demo import EMBEDDED_MODEL, FORMATS, QUESTIONS, demo_path
from engine.records import ProbeSettings
from engine.runs import execute, plan_run
from engine.store import open_store
from tests.conftest import REPO
from tui.commands.root import app

PAGES = sorted([REPO / "README.md", REPO / "CONTRIBUTING.md", *(REPO / "docs").glob("*.md")])
SHELL = {"", "console", "sh", "bash"}
"""Languages of fenced blocks that hold commands."""

STANDS_FOR = {
    "Qwen/Qwen2.5-0.5B-Instruct": "sample_data/model",
    "MODEL": "sample_data/model",
    "mmlu/test": "mmlu/test",
}
"""What a reader puts in the place of a word, and what the test does: nothing is downloaded."""

FEW = "4"
"""Questions in the place of any --limit: the words are tested, not the patience."""

MAY_FAIL = {("formats", "check"), ("formats", "diff")}
"""Commands that end with 1 where they found something, as diff(1) does."""

SCREENS = {"explore", "serve"}
"""Commands that stay until they are left."""

pytestmark = pytest.mark.slow


class Fence(NamedTuple):
    """A fenced block of a page: its language, the line before it, and its text."""

    language: str
    before: str
    text: str


def fences(page: Path) -> Iterator[Fence]:
    before, language, block = "", None, []
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("```") and language is None:
            language, block = line[3:].strip(), []
        elif line.startswith("```"):
            yield Fence(str(language), before, "\n".join(block))
            language = None
        elif language is not None:
            block.append(line)
        elif line.strip():
            before = line


def commands(page: Path) -> list[list[str]]:
    """The words of every logitscope command in the page's blocks."""
    blocks = [fence.text for fence in fences(page) if fence.language in SHELL]
    lines = [words for block in blocks for words in lines_of(block)]
    return [words[1:] for words in lines if words[:1] == ["logitscope"]]


def lines_of(script: str) -> Iterator[list[str]]:
    """The words of each line of a script; a quoted text may hold line breaks."""
    pending = ""
    for line in script.replace("\\\n", " ").splitlines():
        pending += line
        try:
            words = shlex.split(pending, comments=True)
        except ValueError:
            pending += "\n"
        else:
            yield words
            pending = ""
    assert not pending, f"a quote is never closed: {pending}"


def mentioned(page: Path) -> list[str]:
    """What stands between backticks and begins like a command."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [code for code in re.findall(r"`([^`]+)`", text) if code.startswith("logitscope ")]


def named_files(page: Path) -> Iterator[tuple[str, str]]:
    """Files that the page tells its reader to save: the name before the block, and the block."""
    for fence in fences(page):
        saved = re.search(r"[Ss]ave .*?`([\w.]+)`", fence.before)
        if saved and fence.language not in SHELL:
            yield saved[1], fence.text


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a demo of few questions, so that commands without --db find one."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOGITSCOPE_HOME", str(folder))
        path = demo_path()
    questions = str(QUESTIONS[1][1])
    settings = ProbeSettings(samples=8)
    plan = plan_run(str(EMBEDDED_MODEL), questions, FORMATS, settings, orders=2, limit=14)
    with WorkerClient(niceness=0) as client, open_store(path) as store:
        execute(store, plan, client)
    return folder


@pytest.fixture
def desk(tmp_path: Path, home: Path) -> Path:
    """A folder as a reader has it who cloned the repository, with files of their own."""
    (tmp_path / "sample_data").symlink_to(REPO / "sample_data")
    header = "question,subject,A,B,C,D,answer\n"
    row = "What is the capital of France?,geography,Paris,Rome,Berlin,Madrid,A\n"
    (tmp_path / "questions.csv").write_text(header + row)
    for split in ("test", "dev"):
        folder = tmp_path / "mmlu" / split
        folder.mkdir(parents=True)
        rows = "".join(f"What is {n} plus 1?,{n + 1},{n + 2},7,0,A\n" for n in range(5))
        (folder / f"arithmetic_{split}.csv").write_text(rows)
    return tmp_path


def environment(home: Path, desk: Path) -> dict[str, str]:
    return {
        **os.environ,
        "LOGITSCOPE_HOME": str(home),
        "LOGITSCOPE_STATE": str(desk / "state"),
        "COLUMNS": "100",
    }


def prepared(words: list[str]) -> list[str]:
    words = [STANDS_FOR.get(word, word) for word in words]
    for place, word in enumerate(words[:-1]):
        if word == "--limit":
            words[place + 1] = FEW
    return words


def look_at(words: list[str], desk: Path, env: dict[str, str]) -> None:
    """Open the explorer in a terminal, wait for its first frame, and leave."""
    child = pexpect.spawn(
        sys.executable,
        ["-m", "tui.cli", *words],
        cwd=desk,
        env=env,
        dimensions=(24, 80),
        timeout=60,
    )
    child.expect("logitscope|row 1 of|No run")
    child.expect(r"\x1b\[\?1049h|row|quit")
    child.send("\x11")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0, words


def serve(words: list[str], desk: Path, env: dict[str, str]) -> None:
    """Start the server, wait for its address, and stop it as a person would."""
    child = pexpect.spawn(sys.executable, ["-m", "tui.cli", *words], cwd=desk, env=env, timeout=60)
    child.expect("http://127.0.0.1:")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus in (0, 130), words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_work_one_after_the_other(
    page: Path, desk: Path, home: Path
) -> None:
    env = environment(home, desk)
    for name, text in named_files(page):
        (desk / name).write_text(text + "\n", encoding="utf-8")
    for original in commands(page):
        words = prepared(original)
        if not words or words[0] not in COMMANDS or words[0] == "explore":
            look_at(words, desk, env)
        elif words[0] == "serve":
            serve(words, desk, env)
        else:
            done = subprocess.run(
                [sys.executable, "-m", "tui.cli", *words],
                cwd=desk,
                env=env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=200,
                check=False,
            )
            fine = {0, 1} if tuple(words[:2]) in MAY_FAIL else {0}
            assert done.returncode in fine, f"logitscope {shlex.join(words)}\n{done.stderr}"


ROOT: Any = typer.main.get_command(app)
CONTEXT: Any = typer.Context(ROOT)
COMMANDS = set(ROOT.list_commands(CONTEXT))


def commands_of(command: Any) -> dict[str, Any]:
    """The commands below a command."""
    if not isinstance(command, TyperGroup):
        return {}
    return {name: command.get_command(CONTEXT, name) for name in command.list_commands(CONTEXT)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_the_text_of_a_page_exist_with_their_options(page: Path) -> None:
    for code in mentioned(page):
        words = code.replace("[", " ").replace("]", " ").split()[1:]
        if words and (words[0].startswith("-") or words[0].endswith((".duckdb", "FILE"))):
            words.insert(0, "explore")
        command = ROOT
        while words and (below := commands_of(command)):
            named = words.pop(0)
            command = below.get(named) or next(iter(below.values()))
            assert named in below or named.isupper(), code
        known = {flag for parameter in command.params for flag in parameter.opts}
        known |= {flag for parameter in command.params for flag in parameter.secondary_opts}
        asked = {word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        assert asked <= known | {"--help"}, code


def test_the_two_commands_of_the_readme_are_targets_of_make() -> None:
    readme = (REPO / "README.md").read_text(encoding="utf-8")
    for target in ("demo", "test"):
        assert f"make {target}" in readme
        done = subprocess.run(["make", "-n", target], cwd=REPO, capture_output=True, check=False)
        assert done.returncode == 0


def test_pages_link_to_pages_that_are_there() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
