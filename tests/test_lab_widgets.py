"""The parts of the prompt lab, each alone in a small app."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Input, TextArea

import tui.screens
from engine.formats import PromptFormat, format_names, load_format
from engine.formats.writing import format_toml
from engine.lab_figures import Delta, LabAnswer, deltas
from engine.prompt_diff import Change, diff
from engine.rendered import PromptWarning
from tests.actions.covering import covers
from tests.lab_views import CHAT, RAW, made_prompt
from tui.format_settings import Setting
from tui.format_text import parts
from tui.pinned import Said, pinned_rows
from tui.prompt_sides import CONTEXT, blocks, folded
from tui.turns import turns
from tui.widgets.format_editor import FormatEditor
from tui.widgets.format_form import FormatForm, SettingRows
from tui.widgets.line_view import LineView
from tui.widgets.marked_editor import PROBLEM_MARK
from tui.widgets.pinned_view import PinnedView
from tui.widgets.prompt_diff_view import PromptDiffView
from tui.widgets.rendered_prompt import BOUNDARY, END_OF_PROMPT, RenderedPromptView

SMALL, LARGE = (80, 24), (160, 45)
STYLES = Path(tui.screens.__file__).parent
Prepare = Callable[[Pilot[Any]], Awaitable[None]]


class PartsApp(App[None]):
    """Some parts of the lab, one below the other."""

    CSS_PATH: ClassVar[Any] = [STYLES / "question.tcss", STYLES / "lab_widgets.tcss"]
    CSS = "LineView, FormatForm, FormatEditor { height: 1fr; width: 100%; }"

    def __init__(self, *shown: Widget) -> None:
        super().__init__()
        self.shown = shown
        self.told: list[Any] = []

    def compose(self) -> ComposeResult:
        yield from self.shown

    def on_format_form_changed(self, event: FormatForm.Changed) -> None:
        self.told.append((event.key, event.value))

    def on_pinned_view_chosen(self, event: PinnedView.Chosen) -> None:
        self.told.append((event.row, event.question.question_index))

    @property
    def lines(self) -> list[str]:
        strips = self.screen._compositor.render_strips()
        return ["".join(segment.text for segment in strip).rstrip() for strip in strips]


def whole(view: LineView) -> str:
    """Every line of a pane, those out of sight too."""
    return "\n".join(line.plain.rstrip() for line in view._lines)


# What is what in the text of a format


def named(source: str) -> list[tuple[str, str]]:
    return [(part.kind, source[part.start : part.end]) for part in parts(source)]


def test_the_parts_of_a_text() -> None:
    source = (
        '# why\nchat = false # now\nuser = """Q: {{ question }} \n{% if x %}\\"{% endif %}"""\n'
        "label_style = '{label}. {text} '\n\n[fields]\nletter.x = \"C \\n\"\n"
    )
    assert named(source) == [
        ("comment", "# why"),
        ("key", "chat"),
        ("value", "false"),
        ("comment", "# now"),
        ("key", "user"),
        ("string", '"""Q: {{ question }} \n{% if x %}\\"{% endif %}"""'),
        ("template", "{{ question }}"),
        ("template", "{% if x %}"),
        ("template", "{% endif %}"),
        ("escape", '\\"'),
        ("blank", " "),
        ("key", "label_style"),
        ("string", "'{label}. {text} '"),
        ("slot", "{label}"),
        ("slot", "{text}"),
        ("blank", " "),
        ("table", "[fields]"),
        ("key", "letter.x"),
        ("string", '"C \\n"'),
        ("escape", "\\n"),
        ("blank", " "),
    ]


@pytest.mark.parametrize(
    ("source", "string"),
    [
        ('a = "open\nb = 1', '"open'),
        ('a = """open\nb = 1', '"""open\nb = 1'),
        ("a = 'open\nb = 1", "'open"),
        ('a = "\\', '"\\'),
        ('a = """x""""\n', '"""x""""'),
    ],
)
def test_a_string_that_is_being_typed(source: str, string: str) -> None:
    assert ("string", string) in named(source)


@pytest.mark.parametrize("name", format_names())
def test_strings_and_keys_are_those_that_toml_knows(name: str) -> None:
    source = format_toml(load_format(name))
    data = tomllib.loads(source)
    keys = [text for kind, text in named(source) if kind == "key"]
    assert keys == [key for key in data if key != "fields"] + list(data.get("fields", {}))
    strings = [text for kind, text in named(source) if kind == "string"]
    flat = [*data.values(), *data.get("fields", {}).values()]
    assert [tomllib.loads(f"x = {text}")["x"] for text in strings] == [
        value for value in flat if isinstance(value, str)
    ]


@given(st.text(alphabet="a={}%# \n\"'\\[].1", max_size=60))
def test_any_text_has_parts_that_lie_within_it(source: str) -> None:
    outer = [part for part in parts(source) if part.kind in ("comment", "table", "key", "string")]
    assert all(0 <= part.start < part.end <= len(source) for part in parts(source))
    assert all(one.end <= other.start for one, other in pairwise(outer))


# The editor

FORMAT = '# 日本 \nname = "ours"\nuser = """Ответ 日本 {{ x }}  \nAnswer: """\nprefill = " "\n'


async def test_spaces_at_ends_are_seen_and_stay_spaces() -> None:
    editor = FormatEditor(FORMAT)
    async with PartsApp(editor).run_test(size=SMALL):
        lines = editor.app.lines  # type: ignore[attr-defined]
        assert lines[3].endswith("{{ x }}··")
        assert lines[4].endswith('Answer:·"""')
        assert lines[5].endswith('prefill = "·"')
        assert lines[1].endswith("# 日本")
        assert editor.text == FORMAT


async def test_highlights_lie_on_their_words_behind_wide_characters() -> None:
    editor = FormatEditor(FORMAT)
    async with PartsApp(editor).run_test(size=SMALL):
        for kind, word in (("template", "{{ x }}"), ("blank", "··")):
            own = editor._styles[kind]
            assert own.color is not None
            look = own.color, bool(own.bold)
            strip = [each for each in editor.render_line(2) if each.style]
            shown = [
                s.text for s in strip if s.style and (s.style.color, bool(s.style.bold)) == look
            ]
            assert "".join(shown) == word


@covers("format_editor.undo", "format_editor.redo")
async def test_typing_undo_and_redo() -> None:
    editor = FormatEditor("a = 1\n")
    async with PartsApp(editor).run_test(size=SMALL) as pilot:
        editor.focus()
        await pilot.press("down", "b", "space", "equals_sign")
        assert editor.text == "a = 1\nb ="
        await pilot.press("ctrl+z")
        assert editor.text == "a = 1\n"
        await pilot.press("ctrl+y")
        assert editor.text == "a = 1\nb ="
        assert any(line.endswith("2  b =") for line in pilot.app.lines)  # type: ignore[attr-defined]


async def test_a_line_that_changes_far_from_the_cursor_is_drawn_anew() -> None:
    editor = FormatEditor('a = "x"\nb = 1\nc = 2\n')
    async with PartsApp(editor).run_test(size=SMALL) as pilot:
        editor.focus()
        editor.move_cursor((0, 4))
        await pilot.press("quotation_mark", "quotation_mark")
        await pilot.pause()
        value, string = editor._styles["value"], editor._styles["string"]
        seen = [segment.style.color for segment in editor.render_line(2) if segment.style]
        assert string.color in seen
        assert value.color not in seen


async def test_the_line_that_is_wrong_is_marked_until_it_is_right() -> None:
    editor = FormatEditor("\n".join(f"k{n} = {n}" for n in range(9)))
    app = PartsApp(editor)
    async with app.run_test(size=SMALL) as pilot:
        editor.show_problem(3, "format.toml, line 3: [this] is no template.")
        await pilot.pause()
        marked = [line for line in app.lines if re.search(rf"\d+ ?{PROBLEM_MARK}", line)]
        assert [line.split()[-3:] for line in marked] == [["k2", "=", "2"]]
        assert "[this] is no template." in app.lines[-1]
        editor.show_problem(None, "")
        await pilot.pause()
        assert not any(PROBLEM_MARK in line for line in app.lines)


async def test_a_problem_may_have_no_line_or_one_that_is_not_there() -> None:
    editor = FormatEditor("a = 1")
    app = PartsApp(editor)
    async with app.run_test(size=SMALL) as pilot:
        for line in (None, 40):
            editor.show_problem(line, "Nothing asks anything.")
            await pilot.pause()
            assert sum(PROBLEM_MARK in line for line in app.lines) == 1


# The form


async def with_form(pilot: Pilot[Any], name: str = "example") -> FormatForm:
    form = pilot.app.query_one(FormatForm)
    form.show(load_format(name))
    form.query_one(SettingRows).focus()
    await pilot.pause()
    return form


async def go_to(pilot: Pilot[Any], key: str) -> None:
    rows = pilot.app.query_one(SettingRows)
    place = next(place for place, each in enumerate(rows.settings) if each.key == key)
    await pilot.press(*["up"] * rows.cursor, *["down"] * place)


@covers("rows.up", "rows.down")
async def test_enter_switches_and_cycles() -> None:
    app = PartsApp(FormatForm())
    async with app.run_test(size=SMALL) as pilot:
        await with_form(pilot)
        await go_to(pilot, "chat")
        await pilot.press("enter", "enter")
        await go_to(pilot, "too_long")
        await pilot.press("enter")
        await pilot.pause()
        assert app.told == [("chat", False), ("chat", True), ("too_long", "drop-shots")]
        assert any(re.search(r"▸ too_long +‹ drop-shots ›", line) for line in app.lines)


@covers("form.next_value", "form.previous_value")
async def test_steps_in_both_directions() -> None:
    app = PartsApp(FormatForm())
    async with app.run_test(size=SMALL) as pilot:
        await with_form(pilot)
        await go_to(pilot, "shots")
        await pilot.press("right", "space", "left")
        await pilot.pause()
        assert app.told == [("shots", 1), ("shots", 2), ("shots", 1)]


async def test_a_text_is_typed_over_its_row() -> None:
    app = PartsApp(FormatForm())
    async with app.run_test(size=SMALL) as pilot:
        await with_form(pilot)
        await go_to(pilot, "fields.example_letter")
        row = next(y for y, line in enumerate(app.lines) if "fields.example_letter" in line)
        await pilot.press("enter")
        await pilot.pause()
        assert app.query_one(Input).region.y == row
        assert app.query_one(Input).region.x == app.lines[row].index("C")
        await pilot.press("backspace", "D", "backslash", "n", "enter")
        await pilot.pause()
        assert app.told == [("fields.example_letter", "D\n")]
        assert app.lines[row].endswith("D↵")
        assert app.focused is app.query_one(SettingRows)


@covers("form.leave")
async def test_what_is_typed_can_be_left_and_stays_while_the_format_is_shown_anew() -> None:
    app = PartsApp(FormatForm())
    async with app.run_test(size=SMALL) as pilot:
        form = await with_form(pilot)
        await go_to(pilot, "delimiter")
        await pilot.press("enter", "x")
        form.show(load_format("low"))
        assert app.query_one(Input).value == "autox"
        await pilot.press("escape")
        await pilot.pause()
        assert app.told == []
        assert not app.query_one(Input).display
        await pilot.press("enter", "y", "tab")
        await pilot.pause()
        assert app.told == [("delimiter", "autoy")]


async def test_the_line_to_type_in_stays_on_its_row() -> None:
    app = PartsApp(FormatForm(), FormatEditor())
    async with app.run_test(size=(80, 16)) as pilot:
        form = await with_form(pilot)
        await go_to(pilot, "delimiter")
        await pilot.press("enter")
        rows = form.query_one(SettingRows)
        line = rows.line_of_cursor + round(rows.scroll_y)
        for y in (line, line - 1):
            rows.scroll_to(y=y, animate=False, force=True)
            await pilot.pause()
            assert app.lines[app.query_one(Input).region.y].startswith(" ▸ delimiter")


async def test_a_number_that_is_none_changes_nothing() -> None:
    app = PartsApp(FormatForm())
    async with app.run_test(size=SMALL) as pilot:
        await with_form(pilot, "mmlu-original")
        await go_to(pilot, "shots")
        await pilot.press("enter", "backspace", "x", "enter")
        await pilot.press("enter", "backspace", "3", "enter")
        await pilot.pause()
        assert app.told == [("shots", 3)]


async def test_the_cursor_stays_on_its_setting_when_fields_come_and_go() -> None:
    fmt = PromptFormat("x", "{{ question }}", fields={"a": "1", "b": "2"})
    app = PartsApp(FormatForm())
    async with app.run_test(size=SMALL) as pilot:
        form = app.query_one(FormatForm)
        form.show(fmt)
        form.query_one(SettingRows).focus()
        await go_to(pilot, "fields.b")
        form.show(PromptFormat("x", "{{ question }}", fields={"b": "2"}))
        current = form.query_one(SettingRows).current
        assert current is not None
        assert current.key == "fields.b"


# The rendered prompt


def test_turns_begin_with_special_tokens_that_open_them() -> None:
    prompt, tokens = made_prompt(CHAT)
    found = turns(prompt.token_ids, tokens)
    assert [turn.role for turn in found] == ["system", "user", "assistant"]
    assert {prompt.pieces[turn.token] for turn in found} == {"<|im_start|>"}


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        ("<|system|>\nBe short.\n<|user|>\nHi\n<|assistant|>\n", ["system", "user", "assistant"]),
        (
            "<s><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n",
            ["user", "assistant"],
        ),
        (RAW, []),
        ("<s>user model\nbehaviour", []),
        ("<|im_start|>user<|im_end|>user\n", ["user"]),
    ],
)
def test_turns_of_several_templates(text: str, roles: list[str]) -> None:
    prompt, tokens = made_prompt(text)
    assert [turn.role for turn in turns(prompt.token_ids, tokens)] == roles


def test_turns_that_instructions_open() -> None:
    tokens = {1: ("[INST]", b"[INST]", True), 2: ("hi", b"hi", False), 3: ("[/INST]", b"", True)}
    assert [tuple(turn) for turn in turns((1, 2, 3), tokens)] == [("user", 0), ("assistant", 2)]


WARNINGS = (
    PromptWarning("trailing-space", "The prompt ends in a space; leave it out of the format."),
    PromptWarning("shots-dropped", "1 of 5 worked examples fit; use fewer shots."),
)


async def rendered(text: str, size: tuple[int, int] = SMALL, **made: Any) -> RenderedPromptView:
    view = RenderedPromptView()
    async with PartsApp(view).run_test(size=size):
        view.show(*made_prompt(text, **made), made.get("warnings", ()))
    return view


async def test_every_token_stands_between_boundaries_under_its_turn() -> None:
    view = await rendered(CHAT)
    body = whole(view).split("── next")[0]
    user = body.split("── user ")[1].split("── assistant")[0].partition("\n")[2]
    assert user.startswith("<|im_start|>│user│↵\n│Which│·planet│·is│·closest│·to│·the│·sun│?│↵\n")
    assert body.rstrip().endswith(END_OF_PROMPT)
    shown = re.sub(r"── \w+ ─+\n", "", body).replace("\n", "")
    plain = shown.replace(BOUNDARY, "").replace("·", " ").replace("↵", "\n")
    assert plain == CHAT + END_OF_PROMPT


async def test_tokens_are_told_apart_without_colour_wherever_they_are_cut() -> None:
    view = await rendered(RAW, (40, 24))
    prompt, _ = made_prompt(RAW)
    body = whole(view).split("── next")[0]
    assert body.count(BOUNDARY) == len(prompt.token_ids) - 1


async def test_the_tokens_of_the_labels() -> None:
    view = await rendered(RAW, delimiter=" ")
    prompt, _ = made_prompt(RAW, delimiter=" ")
    last = whole(view).splitlines()[-1]
    ids = dict(zip("ABCD", prompt.label_ids, strict=True))
    assert last == "   ".join(f"{label} “·{label}” {ids[label]}" for label in "ABCD")


async def test_a_label_whose_token_only_begins_it() -> None:
    prompt, tokens = made_prompt(RAW, delimiter=" ", labels=("A", "BB"))
    tokens = {**tokens, prompt.label_ids[1]: ("B", b" B", False)}
    view = RenderedPromptView()
    async with PartsApp(view).run_test(size=SMALL):
        view.show(prompt, tokens, ())
    assert f"BB “·B” {prompt.label_ids[1]} begins “·BB”" in whole(view)


async def test_what_is_cut_and_how_many_shots_are_there() -> None:
    view = await rendered(RAW, shots=3, dropped=1200)
    assert whole(view).startswith("✂ 1,200 tokens cut to fit the window")
    assert "3 shots" in str(view.border_title)
    assert "1,200 tokens cut" in str(view.border_title)


async def test_warnings_stay_above_the_end_of_the_prompt() -> None:
    view = RenderedPromptView()
    app = PartsApp(view)
    async with app.run_test(size=SMALL) as pilot:
        view.show(*made_prompt(RAW * 4), WARNINGS)
        await pilot.pause()
        text = "\n".join(app.lines)
        for warning in WARNINGS:
            assert f"⚠ {warning.code}: {warning.message}" in text
        assert app.lines[-2].startswith(" ── next")
        assert END_OF_PROMPT in app.lines[-3]


async def test_a_problem_stands_above_the_last_prompt() -> None:
    view = RenderedPromptView()
    app = PartsApp(view)
    async with app.run_test(size=SMALL) as pilot:
        view.show(*made_prompt(RAW), WARNINGS)
        view.show_problem("format.toml, line 7: template 'user' fails.")
        await pilot.pause()
        assert app.lines[1].strip() == "✗ format.toml, line 7: template 'user' fails."
        assert "│Answer│:▏" in whole(view)
        assert "trailing-space" not in whole(view)
        view.show(*made_prompt(RAW), WARNINGS)
        assert "✗" not in whole(view)


async def test_a_problem_before_any_prompt() -> None:
    view = RenderedPromptView()
    app = PartsApp(view)
    async with app.run_test(size=SMALL):
        view.show_problem("The model can't be loaded.")
        assert whole(view) == "✗ The model can't be loaded."


async def test_the_place_that_was_gone_to_stays_when_the_prompt_changes() -> None:
    view = RenderedPromptView()
    app = PartsApp(view)
    async with app.run_test(size=SMALL) as pilot:
        view.show(*made_prompt(RAW * 4), ())
        await pilot.pause()
        assert view.scroll_y == view.max_scroll_y > 0
        view.show(*made_prompt(RAW * 5), ())
        await pilot.pause()
        assert view.scroll_y == view.max_scroll_y
        view.action_scroll(-9)
        there = view.scroll_y
        view.show(*made_prompt(RAW * 6), ())
        await pilot.pause()
        assert view.scroll_y == there


async def test_text_without_boundaries() -> None:
    view = RenderedPromptView()
    async with PartsApp(view).run_test(size=SMALL):
        view.show(*made_prompt(RAW), ())
        view.toggle()
        assert BOUNDARY not in whole(view)
        assert "Which·is·a·star?↵\nA.·Vega↵" in whole(view)
        assert view.copied() == RAW
        view.toggle()
        assert "│A│.│·Vega│↵" in whole(view)


# The difference of two prompts

texts = st.text(alphabet="ab \n界", max_size=30)


@given(texts, texts)
def test_blocks_keep_both_prompts(one: str, other: str) -> None:
    made = blocks(diff(one, other))
    assert "".join(each.text for block in made for each in block.side("added")) == one
    assert "".join(each.text for block in made for each in block.side("removed")) == other


def test_lines_far_from_a_change_are_folded() -> None:
    same = "".join(f"line {n}\n" for n in range(10))
    made = blocks([Change("same", same), Change("added", "x"), Change("same", "\n" + same)])
    shown = folded(made)
    assert shown[0] == 10 - CONTEXT
    assert shown[-1] == 10 - CONTEXT
    assert len(shown) == 2 * CONTEXT + 3


CHANGES = (
    Change("same", "Which is a star?\nAnswer:"),
    Change("added", " "),
    Change("removed", "\n(A)"),
)


async def differing(
    changes: Sequence[Change], size: tuple[int, int], *, unfold: bool = False
) -> PromptDiffView:
    view = PromptDiffView()
    async with PartsApp(view).run_test(size=size):
        view.show("one", "other", changes)
        if unfold:
            view.toggle()
    return view


async def test_changes_one_in_the_other() -> None:
    view = await differing(CHANGES, (60, 24))
    assert whole(view) == "Which·is·a·star?↵\nAnswer:{+·+}{-↵\n(A)-}"
    assert str(view.border_title) == "one → other · −4 +1 characters"


async def test_changes_side_by_side() -> None:
    view = await differing(CHANGES, LARGE)
    pairs = [re.split(" +│ ?", line) for line in whole(view).splitlines()]
    assert pairs == [
        ["one", "other"],
        ["Which·is·a·star?↵", "Which·is·a·star?↵"],
        ["Answer:{-↵", "Answer:{+·+}"],
        ["(A)-}", ""],
    ]


async def test_the_same_prompt_twice() -> None:
    view = await differing([Change("same", RAW)], (60, 24))
    assert "the same prompt" in str(view.border_title)
    assert whole(view) == f"⋯ {RAW.count(chr(10)) + 1} lines the same"


@pytest.mark.parametrize("size", [(40, 24), SMALL, LARGE], ids=str)
async def test_nothing_is_lost_and_nothing_is_too_wide(size: tuple[int, int]) -> None:
    other = RAW.replace("about  astronomy", "about astronomy").replace("金星", "x" * 300)
    view = await differing(diff(RAW, other), size, unfold=True)
    assert all(line.cell_len <= size[0] - 2 for line in view._lines)
    shown = re.sub(r"[\s│]|\{[-+]|[-+]\}", "", whole(view))
    for text in (RAW, other):
        for word in re.findall(r"\w+", text):
            assert word in shown or len(word) > 70


async def test_the_copy_holds_both() -> None:
    view = await differing(CHANGES, SMALL)
    assert view.copied() == "Which is a star?\nAnswer:{+ +}{-\n(A)-}"


# The pinned questions


def answer(
    index: int, gold: str | None, first: str, text: str | None, status: str = "option"
) -> LabAnswer:
    return LabAnswer(
        index,
        0,
        f"Question\n{index}?",
        gold,
        first,
        status,
        text,
        text,
        mismatch=first != text,
        refusal=status == "refusal",
        off_option_top=False,
    )


BEFORE = (
    answer(0, "B", "A", "B"),
    answer(4, "C", "C", "C"),
    answer(11, None, "D", None, "refusal"),
)
NOW = (answer(4, "C", "C", None, "several"), answer(0, "B", "B", "B"))


def test_rows_pair_answers_by_question() -> None:
    first, second, third = pinned_rows(BEFORE, NOW, waiting=True)
    assert (first.before, first.now, first.flipped) == (
        Said("A", "B"), Said("B", "B"), (True, False)
    )  # fmt: skip
    assert (second.now, second.flipped) == (Said("C", "several"), (False, True))
    assert (third.now, third.waiting, third.flipped) == (None, True, (False, False))
    assert third.before == Said("D", "refusal")
    assert first.question == "Question↵0?" or "\n" not in first.question
    assert not any(row.waiting for row in pinned_rows(BEFORE, NOW))


async def pinned(size: tuple[int, int], figures: Sequence[Delta], *, waiting: bool) -> list[str]:
    view = PinnedView()
    async with PartsApp(view).run_test(size=size):
        view.show(pinned_rows(BEFORE, NOW, waiting=waiting), figures)
    return [*whole(view).splitlines(), str(view.border_title)]


FIGURES = (
    Delta("right by text", 2, 1, 3),
    Delta("mismatch", 0, 0, 0),
    Delta("flipped", None, 1, 2),
)


async def test_a_figure_has_counts_rates_and_the_change_in_points() -> None:
    lines = await pinned(SMALL, FIGURES, waiting=False)
    assert lines[1].split() == ["right", "by", "text", "2/3", "66.7%", "1/3", "33.3%", "−33.3"]
    assert lines[2].split() == ["mismatch", "–", "–"]
    assert lines[3].split() == ["flipped", "1/2", "50.0%"]


async def test_wide_panes_show_intervals() -> None:
    lines = await pinned(LARGE, FIGURES, waiting=False)
    # Wilson's interval of 2 in 3, by hand: (2/3 + z²/6 ± z √(2/27 + z²/36)) / (1 + z²/3).
    assert "2/3  66.7% [21– 94]" in lines[1]


async def test_small_panes_run_the_figures_on_and_keep_rows() -> None:
    lines = await pinned((80, 7), FIGURES, waiting=False)
    assert lines[0] == "right by text 2→1/3 −33.3 · mismatch 0→0/0 · flipped 1/2"
    assert lines[1].split() == ["#", "question", "gold", "first", "token", "greedy", "text"]


async def test_rows_mark_flips_gold_and_what_is_to_come() -> None:
    *lines, title = await pinned(SMALL, deltas(BEFORE, NOW), waiting=True)
    first, second, third = lines[-3:]
    assert re.fullmatch(r"▸ ≠ +1 Question.0\? +B +A → B✓ +B✓", first)
    assert re.fullmatch(r"  ≠ +5 Question.4\? +C +C✓ +C✓ → several", second)
    assert re.fullmatch(r" +12 Question.11\? +– +D → … +refusal → …", third)
    assert title == "pinned: baseline → now · 3 questions · 2 flips · 1 to come …"


async def test_what_could_not_be_asked_is_no_flip() -> None:
    *lines, title = await pinned(SMALL, (), waiting=False)
    assert lines[-1].endswith("refusal → –")
    assert "to come" not in title


async def test_a_question_is_chosen() -> None:
    view = PinnedView()
    app = PartsApp(view)
    async with app.run_test(size=SMALL) as pilot:
        view.show(pinned_rows(BEFORE, NOW), ())
        view.focus()
        await pilot.press("down", "enter")
        view.show(pinned_rows(BEFORE, ()), ())
        await pilot.press("enter")
        await pilot.pause()
        assert app.told == [(1, 4), (1, 4)]


async def test_no_question_is_pinned() -> None:
    view = PinnedView()
    async with PartsApp(view).run_test(size=SMALL):
        view.show((), ())
    assert whole(view) == "No question is pinned."


# How they look; view the report before accepting a change.


async def show_all(pilot: Pilot[Any]) -> None:
    """Fill whatever parts there are."""
    for part in pilot.app.query("*"):
        match part:
            case FormatEditor():
                part.move_cursor((5, 9))
            case FormatForm():
                part.query_one(SettingRows).show(SETTINGS)
                part.query_one(SettingRows).focus()
                await pilot.press("down", "down")
            case RenderedPromptView():
                part.show(*made_prompt(RAW, delimiter=" ", shots=1, dropped=12), WARNINGS)
            case PromptDiffView():
                part.show("baseline", "now", diff(RAW, RAW.replace("about  ", "about ") + " "))
            case PinnedView():
                part.show(pinned_rows(BEFORE, NOW, waiting=True), deltas(BEFORE, NOW))
            case _:
                pass
    await pilot.pause()


SETTINGS = [
    Setting("name", "text", "ours", about="What the format is called on the command line."),
    Setting("chat", "toggle", True, about="Whether to use the tokenizer's chat template."),
    Setting("label_style", "text", "{label}. {text} ", about="How an option line is written."),
    Setting("shots", "number", 5, about="Number of worked examples wanted."),
    Setting("prefill", "text", "", about="Beginning of the assistant's turn."),
    Setting("too_long", "choice", "drop-shots", ("drop-shots",), "What gives way."),
    Setting("fields.letter", "text", "C", about="A value of the format's own."),
]
TEMPLATES = """\
# After the paper, with 金星.
name = "ours"
chat = false
shots = 5
label_style = "{label}. {text} "
header = \"\"\"About {% for word in subject_words %} {{ word }}{% endfor %}.

\"\"\"
user = \"\"\"{{ question }}  
{{ options }}
Answer: \"\"\"

[fields]
letter = 'C' # the one shown
"""  # noqa: W291 - a space at the end of a line is what is shown


def editor_with_template() -> FormatEditor:
    editor = FormatEditor(TEMPLATES)
    editor.border_title = "format"
    editor.cursor_blink = False
    return editor


PARTS: dict[str, Callable[[], tuple[Widget, ...]]] = {
    "format": lambda: (editor_with_template(), FormatForm()),
    "prompts": lambda: (RenderedPromptView(), PromptDiffView()),
    "pinned": lambda: (PinnedView(),),
}


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x45"])
@pytest.mark.parametrize("shown", PARTS)
def test_looks(snap_compare: Callable[..., bool], shown: str, size: tuple[int, int]) -> None:
    app = PartsApp(*PARTS[shown]())
    assert snap_compare(app, terminal_size=size, run_before=show_all)


@pytest.mark.parametrize("theme", ["textual-light", "ansi-dark"])
@pytest.mark.parametrize("shown", ["format", "prompts"])
def test_themes(snap_compare: Callable[..., bool], shown: str, theme: str) -> None:
    app = PartsApp(*PARTS[shown]())
    app.theme = theme
    assert snap_compare(app, terminal_size=SMALL, run_before=show_all)


async def test_a_theme_recolours_the_editor() -> None:
    editor = editor_with_template()
    app = PartsApp(editor)
    async with app.run_test(size=SMALL) as pilot:
        dark = editor._styles["template"].color
        app.theme = "textual-light"
        await pilot.pause()
        assert editor._styles["template"].color != dark
        assert isinstance(editor, TextArea)
