"""The question screen on what an imported log holds: nothing is made up, nothing can be asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.importers import import_logs
from engine.importers.imported import ImportedRun
from engine.questions import Option, Question
from engine.readings import read_probe
from engine.records import NOTHING_SEEN, Continuation, ProbeResult
from engine.rendered import RecordedPrompt
from engine.rows import RecordedProbe, Score
from engine.store import Store, open_store
from tests.screen_help import LARGE, SMALL, settle, text_of, until
from tests.test_import_mcq import one
from tui.app import ExplorerApp
from tui.screens.question import QuestionScreen
from tui.session import Session
from tui.widgets.options_panel import OptionsPanel
from tui.widgets.prompt_view import PromptView
from tui.widgets.readings_table import ReadingsTable


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "store.duckdb") as store:
        yield store


async def shown(store: Store, size: tuple[int, int], probe_id: int = 1) -> dict[str, str]:
    """What the panes of the question screen say, and the names of its active actions."""
    session = Session(store)
    app = ExplorerApp(session)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        app.push_screen(QuestionScreen(session, probe_id))
        await until(pilot, lambda: isinstance(app.screen, QuestionScreen))
        await settle(pilot)
        found = {
            "screen": text_of(app),
            "readings": app.screen.query_one(ReadingsTable).copied(),
            "options": "\n".join(
                line.plain for line in app.screen.query_one(OptionsPanel).make_lines(60)
            ),
        }
        found["prompt title"] = str(app.screen.query_one(PromptView).border_title)
        found["actions"] = " ".join(
            active.binding.action for active in app.screen.active_bindings.values()
        )
    return found


async def test_released_responses_show_logits_and_their_human_label(
    tmp_path: Path, store: Store
) -> None:
    path = one(tmp_path, label="C. Refused ", max_first_token="Sure", max_first_token_score=9.25)
    import_logs(store, "mcq-mismatch", [path])
    found = await shown(store, (160, 45))
    assert "human label\toption\tC" in found["readings"]
    assert "C Refused" in found["screen"]
    assert "the human label wins" in found["screen"]
    assert "logit 3.50" in found["options"]
    assert "label probabilities not recorded" in found["options"]
    assert "chat template" in found["prompt title"]


async def test_the_model_of_a_log_can_t_be_asked(tmp_path: Path, store: Store) -> None:
    import_logs(store, "mcq-mismatch", [one(tmp_path)])
    actions = (await shown(store, LARGE))["actions"].split()
    assert "mark" in actions
    assert not {"rerun", "branch", "more_samples", "edit"} & set(actions)


def harness_like() -> ImportedRun:
    """Log-likelihoods of texts, one label without a logprob, scores, and no prompt."""
    question = Question("Which?", (Option("A", "red"), Option("B", "blue")), "B")
    texts = [
        Continuation(label, "text", f" {text}", [], [], label == "A", recorded_total=total)
        for label, text, total in (("A", "red", -1.5), ("B", "blue", -2.25))
    ]
    result = ProbeResult(NOTHING_SEEN, [None, -0.5], [], texts, [], seconds=None)
    probe = RecordedProbe(
        question_index=0,
        question=question,
        question_id=question.id,
        permutation=(0, 1),
        prompt=RecordedPrompt("some task"),
        result=result,
        readings=read_probe(question, result, lambda _: b""),
        scores=[Score("acc", 0.0), Score("judge", None, "red one")],
    )
    return ImportedRun("log", "m", "log.jsonl", [question], [probe])


@pytest.mark.parametrize("size", [SMALL, (160, 45)])
async def test_sums_scores_and_gaps_are_shown_as_they_are(
    store: Store, size: tuple[int, int]
) -> None:
    from engine.importers import store_logs

    store_logs(store, "lm-eval", [harness_like()])
    found = await shown(store, size)
    assert "acc 0" in found["readings"]
    assert "judge not recorded for “red one”" in found["readings"]
    assert "not·recorded" in found["screen"]
    assert found["prompt title"] == "prompt"
    assert "-1.50" in found["options"]
    assert "/token" not in found["options"]
    assert "1 of 2 labels not recorded" in found["options"]
