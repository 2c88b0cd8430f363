"""Every warning that there is: explained, documented, and provoked for real."""

from __future__ import annotations

import ast
import math
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from engine.checks import HAS_MASS, NO_MASS, RULES, TIMES, check_answer
from engine.formats import PromptFormat
from engine.prompt import render
from engine.questions import Option, Question
from engine.records import Distribution, ProbeResult, ReadingName, Spelling
from engine.rendered import PromptWarning, RenderedPrompt
from tests.tiny_tokenizers import CHATML, byte_level

REPO = Path(__file__).resolve().parents[1]
QUESTION = Question(
    "What is the capital of France?",
    tuple(Option(*pair) for pair in zip("ABCD", ["Paris", "London", "None", "3"], strict=True)),
    gold="A",
)
RAW = PromptFormat(name="raw", user="{{ question }}\n{{ options }}\nAnswer:", chat=False)
CHAT = PromptFormat(name="chat", user="{{ question }}\n{{ options }}")
SYSTEM = msgspec.structs.replace(CHAT, system="Be brief.\n\nBe right.")

PROVOKED = {
    "trailing-space": "prompt::test_trailing_space_moves_to_the_answer",
    "edited": "prompt::test_an_edited_prompt_that_is_not_changed_has_the_same_tokens",
    "no-chat-template": "prompt::test_base_model_gets_raw_text_and_says_so",
    "system-folded": "prompt::test_system_text_is_folded_where_the_template_rejects_it",
    "system-dropped": "prompt::test_system_text_that_the_template_drops_is_told",
    "user-rewritten": "prompt::test_a_user_turn_that_the_template_rewrites_is_told",
    "text-stripped": "checks::test_blanks_that_the_template_strips_are_told",
    "template-text": "prompt::test_text_that_the_template_adds_is_told",
    "date-in-prompt": "checks::test_a_date_is_told_however_the_template_writes_it",
    "fixed-date": "checks::test_a_date_that_never_changes_is_told_as_such",
    "thinking-off": "prompt::test_thinking_is_switched_off",
    "thinking-open": "prompt::test_thinking_is_switched_off",
    "double-bos": "prompt::test_two_begin_tokens_and_none_are_told",
    "no-bos": "prompt::test_two_begin_tokens_and_none_are_told",
    "boundary-merge": "prompt::test_trailing_space_stays_under_a_delimiter_of_its_own",
    "multi-token-label": "prompt::test_labels_that_begin_with_one_token_are_told",
    "shots-missing": "prompt::test_missing_shots_are_told_with_the_numbers",
    "shots-dropped": "prompt::test_shots_are_dropped_until_prompt_and_generation_fit",
    "truncated": ("prompt::test_an_over_long_prompt_without_shots_is_cut_from_the_left"),
    "not-asked": "format_check::test_a_question_that_cannot_be_asked_is_a_finding",
    "zero-probabilities": "checks::test_labels_without_any_probability_are_told",
    "spelling-without-mass": "checks::test_a_likelier_spelling_is_named_with_its_mass",
    "off-option-top": "checks::test_a_top_token_that_is_no_label_is_named",
    "blank-first-token": "checks::test_a_blank_before_the_answer_is_told",
    "thinks-first": "checks::test_a_thought_before_the_answer_is_told",
}
"""The test that provokes each warning, behind the file: ``prompt`` is ``test_prompt.py``."""


def codes_in(path: Path) -> set[str]:
    """Every code that a module gives a warning."""
    return {
        call.args[0].value
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "PromptWarning"
        and isinstance(call.args[0], ast.Constant)
    }


def test_every_warning_is_explained_and_provoked() -> None:
    given = set().union(*map(codes_in, (REPO / "engine").rglob("*.py")))
    assert set(RULES) == given
    assert set(PROVOKED) == given
    for test in PROVOKED.values():
        file, name = test.split("::")
        source = (REPO / "tests" / f"test_{file}.py").read_text("utf-8")
        assert f"def {name}(" in source, test
    for rule in RULES.values():
        assert rule.meaning.endswith(".")
        assert rule.fix.endswith((".", ")."))


def test_no_warning_has_a_code_that_is_made_up_elsewhere() -> None:
    """So that the search above finds them all."""
    for path in (REPO / "engine").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "PromptWarning":
                assert isinstance(call.args[0], ast.Constant), f"{path}, line {call.lineno}"


# What the model answered


def show(fmt: PromptFormat = RAW, template: str | None = None) -> RenderedPrompt:
    return render(QUESTION, QUESTION.id, 0, fmt, byte_level(template))


def piece(token_id: int) -> str:
    names = byte_level().convert_ids_to_tokens([token_id])
    return names[0].replace("Ġ", " ").replace("Ċ", "\n")


def token(name: str) -> int:
    return int(byte_level().convert_tokens_to_ids(name))


def answered(prompt: RenderedPrompt, shares: dict[str, float], rest: float = 1e-4) -> ProbeResult:
    """What a model would say that gives these tokens these probabilities, and others ``rest``."""
    logprobs = {token(name): math.log(share) for name, share in shares.items() if share}
    ids = sorted(logprobs, key=lambda token_id: -logprobs[token_id])

    def logprob(token_id: int) -> float:
        return logprobs.get(token_id, math.log(rest))

    return ProbeResult(
        first=Distribution(ids, [logprobs[token_id] for token_id in ids], 1.0, 0.0, 0.0),
        label_logprobs=[logprob(token_id) for token_id in prompt.label_ids],
        spellings=[
            Spelling(s.label, s.spelling, s.token_id, s.whole, logprob(s.token_id))
            for s in prompt.spellings
        ],
        continuations=[],
        generations=[],
    )


def check(
    prompt: RenderedPrompt, result: ProbeResult, scored_by: ReadingName = "first_token"
) -> dict[str, str]:
    found: Sequence[PromptWarning] = check_answer(prompt, result, piece, scored_by)
    assert len({warning.code for warning in found}) == len(found)
    return {warning.code: warning.message for warning in found}


def test_an_answer_that_is_a_label_is_no_reason_to_warn() -> None:
    prompt = show()
    assert check(prompt, answered(prompt, {"ĠA": 0.6, "ĠB": 0.2, "ĠC": 0.1, "ĠD": 0.05})) == {}
    # some mass on another spelling is normal
    assert check(prompt, answered(prompt, {"ĠA": 0.6, "A": 0.3})) == {}


def test_a_likelier_spelling_is_named_with_its_mass() -> None:
    """open-instruct#62: " A" is what the model was asked for, "A" is what it writes."""
    prompt = show()
    shares = {"A": 0.5, "B": 0.25, "C": 0.125, "D": 0.0625}
    scored = {"ĠA": 0.001, "ĠB": 0.002, "ĠC": 0.0005, "ĠD": 0.0005}
    found = check(prompt, answered(prompt, shares | scored))
    assert set(found) == {"spelling-without-mass"}
    assert found["spelling-without-mass"] == (
        "Scored as ' A', the labels together have 0.4 %, but spelled 'A' they have 93.8 %; "
        "set delimiter = ''."
    )


def test_the_other_way_round_the_delimiter_is_a_space() -> None:
    prompt = show(CHAT, CHATML)
    found = check(prompt, answered(prompt, {"ĠA": 0.5, "ĠB": 0.3}))
    assert "set delimiter = ' '" in found["spelling-without-mass"]


def test_a_space_that_the_prompt_took_from_the_labels_goes_back_to_them() -> None:
    """Pitfall 3: with another delimiter there would be two of it."""
    prompt = show(msgspec.structs.replace(RAW, user=RAW.user + " ", delimiter=""))
    found = check(prompt, answered(prompt, {"ĠA": 0.5, "ĠB": 0.3, "A": 0.01}))
    assert "leave the ' ' that ends the prompt to the answer" in found["spelling-without-mass"]


def test_lower_case_labels_are_another_spelling() -> None:
    prompt = show(CHAT, CHATML)
    found = check(prompt, answered(prompt, {"a": 0.5, "b": 0.3, "A": 0.01}))
    assert set(found) == {"spelling-without-mass"}
    assert "spelled 'a' they have 80" in found["spelling-without-mass"]
    assert "change labels or label_style" in found["spelling-without-mass"]


@pytest.mark.parametrize(
    ("scored", "other", "told"),
    [
        (HAS_MASS / TIMES / 1.01, HAS_MASS * 1.01, True),
        (HAS_MASS / TIMES / 1.01, HAS_MASS / 1.01, False),
        (0.05, 0.45, False),
        (0.05, 0.55, True),
    ],
)
def test_how_much_a_spelling_must_have(scored: float, other: float, told: bool) -> None:
    prompt = show()
    result = answered(prompt, {"ĠA": scored, "A": other, "Ċ": 0.001}, rest=1e-9)
    assert ("spelling-without-mass" in check(prompt, result)) == told


def test_a_top_token_that_is_no_label_is_named() -> None:
    prompt = show()
    found = check(prompt, answered(prompt, {"Ġthe": 0.7, "ĠA": 0.1, "ĠB": 0.05}, rest=1e-9))
    assert set(found) == {"off-option-top"}
    assert "' the' (70 %)" in found["off-option-top"]
    assert "labels' tokens have 15 %" in found["off-option-top"]


def test_a_top_token_that_begins_a_decorated_label_says_how_to_get_there() -> None:
    prompt = show(CHAT, CHATML)
    found = check(prompt, answered(prompt, {"(": 0.9, "A": 0.05}))
    assert "it may begin '(A': end the prompt with '('" in found["off-option-top"]


@pytest.mark.parametrize(("name", "shown"), [("Ċ", r"'\n'"), ("Ġ", "' '")])
def test_a_blank_before_the_answer_is_told(name: str, shown: str) -> None:
    """Pitfalls 9 and 10."""
    prompt = show()
    result = answered(prompt, {name: 0.8, "ĠA": 0.1})
    found = check(prompt, result)
    assert set(found) == {"blank-first-token"}
    assert f"is {shown} (80 %)" in found["blank-first-token"]
    assert f"end the prompt with {shown}" in found["blank-first-token"]
    assert check(prompt, result, "first_nonblank") == {}


def test_a_thought_before_the_answer_is_told() -> None:
    """Pitfall 11."""
    prompt = show()
    result = answered(prompt, {"Ġthe": 0.9, "ĠA": 0.05})
    found = check_answer(prompt, result, lambda token_id: "<think>")
    assert [warning.code for warning in found] == ["thinks-first"]


def test_labels_without_any_probability_are_told() -> None:
    """Pitfall 5: argmax over zeros is the first option for every question."""
    prompt = show()
    result = answered(prompt, {"Ġthe": 0.99}, rest=1e-12)
    assert set(check(prompt, result)) == {"zero-probabilities", "off-option-top"}
    for logprob in (-math.inf, math.nan, -5000.0, math.log(NO_MASS) - 0.01):
        gone = msgspec.structs.replace(result, label_logprobs=[logprob] * 4)
        assert "have probability 0" in check(prompt, gone)["zero-probabilities"]
    one = msgspec.structs.replace(result, label_logprobs=[-math.inf, -math.inf, -math.inf, -3.0])
    assert "zero-probabilities" not in check(prompt, one)


def test_half_of_the_smallest_float16_is_where_its_zero_begins() -> None:
    import numpy as np

    assert np.float16(NO_MASS) == 0
    assert np.float16(NO_MASS * 1.01) > 0


def test_labels_that_are_all_the_same_are_told() -> None:
    prompt = show()
    result = answered(prompt, {"ĠA": 0.25, "ĠB": 0.25, "ĠC": 0.25, "ĠD": 0.25})
    assert (
        "the same probability as the first token (25 %)"
        in (check(prompt, result)["zero-probabilities"])
    )
    # one token for several labels has a warning of its own, from the prompt alone
    merged = msgspec.structs.replace(prompt, label_ids=(token("ĠA"),) * 4)
    same = msgspec.structs.replace(result, label_logprobs=[math.log(0.25)] * 4)
    assert check(merged, same) == {}


def test_what_was_not_recorded_breaks_no_rule() -> None:
    prompt = show()
    nothing = ProbeResult(Distribution([], [], None, None, None), [], [], [], [])
    assert check(prompt, nothing) == {}
    gaps = msgspec.structs.replace(nothing, label_logprobs=[None, None, -1.0, None])
    assert check(prompt, gaps) == {}


@pytest.mark.parametrize("scored_by", ["continuation", "exact_match", "greedy_text"])
def test_where_no_label_is_expected_none_is_missed(scored_by: ReadingName) -> None:
    prompt = show()
    assert check(prompt, answered(prompt, {"Ġthe": 0.99}, rest=1e-12), scored_by) == {}


# What chat templates do


def codes(template: str, fmt: PromptFormat = CHAT) -> set[str]:
    return {warning.code for warning in show(fmt, template).warnings}


DATED = "<|im_start|>system\n{today}<|im_end|>\n" + CHATML


@pytest.mark.parametrize(
    "today",
    [
        "{{ strftime_now('%d %b %Y') }}",
        '{{ strftime_now( "%A" ) }}',
        "{% set form = '%Y-%m-%d' %}{{ strftime_now(form) }}",
        "{{ strftime_now(format='%H') }}",
        "{% if strftime_now is defined %}{% set d = strftime_now('%j') %}{% endif %}{{ d }}",
        "{{ strftime_now('%Y') | int + 1 }}",
        "{{ ['Su', 'Mo', 'Tu', 'We', 'Th', 'Fr', 'Sa'][strftime_now('%w') | int] }}.",
        "{{ 1 // (strftime_now('%Y') | int) }}",
    ],
)
def test_a_date_is_told_however_the_template_writes_it(today: str) -> None:
    assert codes(DATED.replace("{today}", today)) == {"date-in-prompt"}


def test_a_clock_that_is_read_for_nothing_is_no_date() -> None:
    """Many templates set a default system text with the date and use the format's if it has one."""
    template = (
        "{% set today = strftime_now('%d %b %Y') %}"
        "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nIt is {{ today }}.<|im_end|>\n"
        "{% endif %}" + CHATML
    )
    assert codes(template, SYSTEM) == set()
    assert "date-in-prompt" in codes(template)


@pytest.mark.parametrize(
    "date", ["26 Jul 2024", "July 26, 2024", "2024-07-26", "26/07/2024", "1 September 2023"]
)
def test_a_date_that_never_changes_is_told_as_such(date: str) -> None:
    """Llama 3's kind: without a clock, a date that a variable holds."""
    template = (
        f"{{% if not date_string is defined %}}{{% set date_string = '{date}' %}}{{% endif %}}"
        + DATED.replace("{today}", "Today Date: {{ date_string }}\n")
    )
    prompt = show(CHAT, template)
    assert prompt.warnings[-1].code == "fixed-date"
    assert repr(date) in prompt.warnings[-1].message


def test_dates_that_the_format_writes_are_its_own() -> None:
    fmt = msgspec.structs.replace(CHAT, system="It is 26 Jul 2024.", user="On 2024-01-01, why?")
    assert codes(CHATML, fmt) == set()


def test_default_system_text_with_a_knowledge_date_is_a_text_of_the_template() -> None:
    prompt = show(CHAT, DATED.replace("{today}", "Cutting Knowledge Date: December 2023\n"))
    assert [warning.code for warning in prompt.warnings] == ["template-text"]
    assert "Cutting Knowledge Date: December 2023" in prompt.warnings[0].message
    assert codes(DATED.replace("{today}", "你是一个有用的助手。")) == {"template-text"}
    after = CHATML.replace(
        "{% if add", "<|im_start|>system\nReply in one word.<|im_end|>\n{% if add"
    )
    assert codes(after) == {"template-text"}


THINKING = CHATML.replace(
    "assistant\n{% endif %}",
    "assistant\n{% if THINKS %}<think>{% else %}</think>{% endif %}{% endif %}",
)


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("enable_thinking is not defined or enable_thinking", {"thinking-off"}),
        ("enable_thinking | default(true)", {"thinking-off"}),
        ("thinking is not defined or thinking", {"thinking-off"}),
        # off unless asked for: there was nothing to switch off
        ("thinking is defined and thinking", set()),
        ("enable_thinking | default(false)", set()),
        ("true", {"thinking-open"}),
        ("true or enable_thinking", {"thinking-open"}),
    ],
)
def test_templates_that_let_the_model_think(condition: str, told: set[str]) -> None:
    """Pitfall 11."""
    template = THINKING.replace("THINKS", condition)
    assert codes(template) == told
    assert show(CHAT, template).text.endswith(
        "<think>" if told == {"thinking-open"} else "</think>"
    )


def test_a_prefill_closes_a_thinking_block_that_the_template_opens() -> None:
    fmt = msgspec.structs.replace(CHAT, prefill="\n</think>\n\n")
    assert "thinking-open" not in codes(THINKING.replace("THINKS", "true"), fmt)


def test_a_system_text_of_several_lines_is_found_where_the_template_puts_it() -> None:
    assert codes(CHATML, SYSTEM) == set()
    in_user_turn = (
        "[INST] <<SYS>>\n{{ messages[0]['content'] }}\n<</SYS>>\n\n"
        "{{ messages[1]['content'] }} [/INST]"
    )
    assert codes(in_user_turn, SYSTEM) == set()


def test_a_dropped_system_text_is_missed_even_if_the_question_says_it_too() -> None:
    dropping = CHATML.replace("messages", "messages if m['role'] != 'system'")
    fmt = msgspec.structs.replace(CHAT, system="What is the capital")
    assert codes(dropping, fmt) == {"system-dropped"}
    flat = CHATML.replace("{{ m['content'] }}", "{{ m['content'].replace('\n', ' ') }}")
    assert codes(flat, SYSTEM) == {"system-dropped", "user-rewritten"}


def test_blanks_that_the_template_strips_are_told() -> None:
    stripping = CHATML.replace("{{ m['content'] }}", "{{ m['content'] | trim }}")
    ending = msgspec.structs.replace(CHAT, user=CHAT.user + "\nAnswer:\n")
    assert codes(stripping) == set()
    assert codes(CHATML, ending) == set()
    prompt = show(msgspec.structs.replace(ending, system="Be brief.\n"), stripping)
    assert [warning.code for warning in prompt.warnings] == ["text-stripped"]
    assert "system and user turn" in prompt.warnings[0].message


def test_the_documentation_says_what_the_rules_say() -> None:
    documented = (REPO / "docs" / "warnings.md").read_text("utf-8")
    rows = [line for line in documented.splitlines() if line.startswith("| `")]
    assert rows == [
        f"| `{code}`{' (*note*)' if rule.note else ''} | {rule.meaning} | {rule.fix} |"
        for code, rule in RULES.items()
    ]
