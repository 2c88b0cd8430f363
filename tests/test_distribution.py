from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from textual.app import App, ComposeResult

from engine.records import Distribution
from tests.question_views import KEPT, VOCABULARY, make_view, without_positions
from tui.widgets.distribution import (
    ALTERNATIVE_MARK,
    CHOSEN_MARK,
    CUT,
    DistributionView,
    PositionData,
)
from tui.widgets.line_view import LineView
from tui.widgets.options_panel import OptionsPanel, option_data, spelled_mass


def position(sample: int, token: int) -> PositionData:
    view = make_view(0)
    data = PositionData.at(view, view.generations[sample], token)
    assert data is not None
    return data


class PaneApp(App[None]):
    CSS_PATH = "../tui/screens/question.tcss"
    CSS = "LineView { height: 1fr; width: 100%; }"

    def __init__(self, pane: LineView) -> None:
        super().__init__()
        self.pane = pane

    def compose(self) -> ComposeResult:
        yield self.pane


async def lines_of(pane: Any, *shown: Any, size: tuple[int, int] = (46, 40)) -> list[str]:
    pane.display = True
    async with PaneApp(pane).run_test(size=size) as pilot:
        pane.show(*shown)
        await pilot.pause()
        assert all(
            pane.render_line(y).cell_length == pane.size.width for y in range(pane.size.height)
        )
        return [pane.render_line(y).text.rstrip() for y in range(pane.size.height)]


# The data


def test_a_position_of_a_sample() -> None:
    view = make_view(0)
    positions = view.generations[1].positions
    data = position(1, 2)
    assert data.place == "sample 1, token 3 of 7"
    assert data.chosen == positions.token_ids[2]
    assert data.top_logprobs == positions.top_logprobs[2]
    assert data.margin == pytest.approx(
        math.exp(data.top_logprobs[0]) - math.exp(data.top_logprobs[1])
    )


def test_after_the_sampler_the_kept_tokens_share_all_mass() -> None:
    data = position(1, 2)
    assert data.after is not None
    kept = [each for each in data.after if each is not None]
    assert 0 < len(kept) < KEPT
    assert sum(map(math.exp, kept)) == pytest.approx(1.0)
    assert data.after[: len(kept)] == kept


def test_greedy_decoding_has_no_sampler() -> None:
    data = position(0, 2)
    assert data.after is None
    assert data.place.endswith("no sampler")


def test_nothing_behind_the_end_and_nothing_without_positions() -> None:
    view = make_view(0)
    assert PositionData.at(view, view.generations[0], 99) is None
    bare = without_positions(view)
    assert PositionData.at(bare, bare.generations[0], 0) is None


def test_seen_tokens_matter_only_with_a_repetition_penalty() -> None:
    view = make_view(0)
    plain = PositionData.at(view, view.generations[1], 4)
    assert plain is not None
    penalised_view = msgspec.structs.replace(
        view, sampler={**view.sampler, "repetition_penalty": 1.3}
    )
    penalised = PositionData.at(penalised_view, penalised_view.generations[1], 4)
    assert penalised is not None
    assert penalised.after is not None
    assert plain.after is not None
    written = {*view.prompt_ids, *view.generations[1].positions.token_ids[:4]}
    for token_id, before, after in zip(plain.top_ids, plain.after, penalised.after, strict=True):
        assert (before == after) or token_id in written


# The table


async def test_the_table_shows_rank_token_bar_raw_and_after() -> None:
    data = position(1, 0)
    lines = await lines_of(DistributionView(), data)
    assert lines[0].strip() == "sample 1, token 1 of 7"
    assert "entropy" in lines[1]
    assert "margin" in lines[1]
    assert lines[2].strip() == f"top {KEPT} of 2,048 tokens, 0.30% unseen"
    assert lines[3].split() == ["id", "token", "raw", "after"]
    rows = lines[4 : 4 + KEPT]
    ranks = [int(row.lstrip(f" {CHOSEN_MARK}{ALTERNATIVE_MARK}").split()[0]) for row in rows]
    assert ranks == [*range(1, KEPT + 1)]
    assert rows[-1].endswith(CUT)
    assert "%" in rows[0]
    assert "█" in rows[0]


async def test_the_token_written_is_marked() -> None:
    data = position(1, 0)
    lines = await lines_of(DistributionView(), data)
    marked = [line for line in lines if CHOSEN_MARK in line]
    assert len(marked) == 1
    assert str(data.chosen) in marked[0]
    assert f"{data.chosen_rank} " in marked[0]


async def test_a_token_outside_the_kept_ones_is_shown_with_its_rank() -> None:
    data = position(1, 6)
    assert data.chosen not in data.top_ids
    lines = await lines_of(DistributionView(), data)
    (marked,) = [line for line in lines if CHOSEN_MARK in line]
    assert marked.split()[0] == f"{CHOSEN_MARK}{KEPT + 12}"
    assert "<|im_end|>" in marked
    assert "<0.01%" in marked


async def test_the_token_written_is_scrolled_to() -> None:
    pane = DistributionView()
    lines = await lines_of(pane, position(1, 6), size=(40, 14))
    assert any(CHOSEN_MARK in line for line in lines)
    assert "sample 1" in lines[0]


async def test_greedy_positions_claim_nothing_about_a_sampler() -> None:
    lines = await lines_of(DistributionView(), position(0, 0))
    assert all(line.endswith("–") for line in lines[4 : 4 + KEPT])


async def test_absence_is_said_in_words() -> None:
    lines = await lines_of(DistributionView(), None, "Distributions not recorded.")
    assert lines[0].strip() == "Distributions not recorded."
    assert not any("%" in line for line in lines)


async def test_narrow_panes_leave_out_ids() -> None:
    lines = await lines_of(DistributionView(), position(1, 0), size=(28, 30))
    assert "id" not in lines[3].split()
    assert lines[4].split()[-1].endswith("%")


async def test_wide_and_broken_tokens_keep_the_columns() -> None:
    view = make_view(1)
    data = PositionData.at(view, view.generations[0], 1)
    lines = await lines_of(DistributionView(), data)
    assert any("⟨e3 81⟩" in line for line in lines)


async def test_copying_gives_a_table() -> None:
    pane = DistributionView()
    data = position(1, 0)
    await lines_of(pane, data)
    header, *rows = pane.copied().split("\n")
    assert header.split("\t") == ["rank", "id", "token", "logprob", "after_sampler"]
    assert len(rows) == KEPT
    first = rows[0].split("\t")
    assert first[1] == str(data.top_ids[0])
    assert float(first[3]) == pytest.approx(data.top_logprobs[0], abs=1e-6)
    assert rows[-1].split("\t")[4] == CUT


async def test_the_live_first_distribution() -> None:
    first = Distribution([VOCABULARY[b"A"], VOCABULARY[b"B"]], [-0.5, -1.2], 0.9, 12.0, 0.1)
    data = PositionData.of_first(first, VOCABULARY.entries, None)
    lines = await lines_of(DistributionView(), data)
    assert lines[2].strip() == "top 2, 10.0% unseen"
    assert not any(CHOSEN_MARK in line for line in lines)


# The options


def test_restricted_probabilities_sum_to_one() -> None:
    options = option_data(make_view(0))
    assert [each.option.label for each in options] == list("ABCD")
    assert sum(each.restricted or 0 for each in options) == pytest.approx(1.0)
    assert options[0].probability == pytest.approx(0.35)


def test_a_shared_first_token_counts_once() -> None:
    view = make_view(0)
    shared = [each for each in view.spellings if each.spelling.startswith("(")]
    assert len({each.token_id for each in shared}) == 1
    assert spelled_mass(shared) == pytest.approx(math.exp(shared[-1].logprob))


async def test_the_panel_shows_spellings_masses_and_likelihoods() -> None:
    view = make_view(0)
    lines = await lines_of(OptionsPanel(), view)
    text = "\n".join(lines)
    assert "on the labels' tokens" in text
    assert "off the options" in text
    assert "A Venus" in text
    assert f"“A” {VOCABULARY[b'A']} 35.0%" in text
    assert "“·A”" in text
    assert f"“(A” {VOCABULARY[b'(']}…" in text
    assert "48.6%" in text
    assert f"<0.01%: “(D” {VOCABULARY[b'(']}…" in text
    (text_line,) = [line for line in lines if line.strip().startswith("text")][:1]
    assert text_line.split() == ["text", "Σ", "-2.50", "-1.25/token", "×2"]
    assert f"{CHOSEN_MARK} label" in text


async def test_the_panel_says_what_was_not_recorded() -> None:
    lines = await lines_of(OptionsPanel(), without_positions(make_view(0)))
    text = "\n".join(lines)
    assert text.count("not recorded") == 1 + 4
    assert "%" not in text


async def test_live_probabilities_take_the_place_of_stored_ones() -> None:
    live = [("A", 0.2), ("B", 0.2), ("C", 0.05), ("D", 0.05)]
    text = "\n".join(await lines_of(OptionsPanel(), make_view(0), live))
    assert text.count("40.0%") == 2
    assert "“A”" not in text


async def test_options_are_not_renormalised_while_some_are_unknown() -> None:
    text = "\n".join(await lines_of(OptionsPanel(), make_view(0), [("A", 0.2), ("B", 0.2)]))
    assert "2 of 4 labels not recorded" in text
    assert "50.0%" not in text
    assert text.count("20.0%") == 2
    assert text.count("not recorded") == 3
