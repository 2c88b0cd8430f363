"""Rendering: exact texts, exact tokens, and a warning for all that distorts a measurement."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from engine import tokens
from engine.errors import FormatError
from engine.formats import PromptFormat, load_format
from engine.prompt import RenderedPrompt, render, render_text
from engine.questions import Option, Question
from tests.tiny_tokenizers import CHATML, byte_level, llama_like, metaspace, newline_merging

QUESTION = Question(
    "What is the capital of France?",
    tuple(Option(*pair) for pair in zip("ABCD", ["Paris", "London", "None", "3"], strict=True)),
    gold="A",
    subject="high_school_geography",
)
RAW = PromptFormat(name="raw", user="{{ question }}\n{{ options }}\nAnswer:", chat=False)
CHAT = PromptFormat(name="chat", user="{{ question }}\n{{ options }}")
INST = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% if m['role'] == 'user' %}[INST] {{ m['content'] | trim }} [/INST]"
    "{% else %} {{ m['content'] | trim }}{{ eos_token }}{% endif %}{% endfor %}"
)
"""Mistral's kind of chat template: no system turn, the assistant's text after a space."""

TOKENIZERS: dict[str, Callable[[], PreTrainedTokenizerFast]] = {
    "byte-level": byte_level,
    "byte-level with begin token": partial(byte_level, None, True),
    "byte-level chat": partial(byte_level, CHATML),
    "metaspace, first": metaspace,
    "metaspace chat": partial(metaspace, "first", INST),
    "metaspace, always": partial(metaspace, "always"),
    "llama": llama_like,
    "line breaks inside tokens": newline_merging,
}


def show(
    fmt: PromptFormat,
    tokenizer: PreTrainedTokenizerFast,
    question: Question = QUESTION,
    **how: object,
) -> RenderedPrompt:
    return render(question, question.id, 0, fmt, tokenizer, **how)  # type: ignore[arg-type]


def codes(prompt: RenderedPrompt) -> set[str]:
    return {warning.code for warning in prompt.warnings}


def changed(fmt: PromptFormat, **values: object) -> PromptFormat:
    return msgspec.structs.replace(fmt, **values)


texts = st.text(
    st.sampled_from("ABab 12().:*\n\tàé√中🙂'\"") | st.characters(codec="utf-8"), min_size=1
)


@pytest.mark.parametrize("kind", TOKENIZERS)
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(
    text=texts,
    options=st.lists(texts, min_size=2, max_size=4),
    last=st.sampled_from(
        ["\nAnswer:", "\n\nAnswer:", " (", "\n", "", "\nOptions: \nx", "A", "\n   ", "\r\nAnswer:"]
    ),
)
def test_continuations_are_those_of_the_whole_text(
    kind: str, text: str, options: list[str], last: str
) -> None:
    """As lm-evaluation-harness has it: encode prompt and answer together, cut at the prompt."""
    tokenizer = TOKENIZERS[kind]()
    question = Question(text, tuple(Option(*pair) for pair in zip("ABCD", options, strict=False)))
    user = "Header\n{{ question }}\n{{ options }}" + last
    prompt = show(PromptFormat(name="any", user=user), tokenizer, question)
    with_specials = not prompt.chat
    body = prompt.text
    if with_specials:
        body = render_text(question, PromptFormat(name="any", user=user)).raw.rstrip(" ")
    context = tokenizer(body, add_special_tokens=with_specials)["input_ids"]
    assert list(prompt.token_ids) == context
    for continuation in prompt.continuations:
        whole = tokenizer(body + continuation.text, add_special_tokens=with_specials)["input_ids"]
        if whole[: len(context)] == context:
            assert list(continuation.token_ids) == whole[len(context) :]
        else:
            assert "boundary-merge" in codes(prompt)
    for spelling in prompt.spellings:
        whole = tokenizer(body + spelling.spelling, add_special_tokens=with_specials)["input_ids"]
        if whole[: len(context)] == context:
            assert whole[len(context)] == spelling.token_id
            assert spelling.whole == (len(whole) == len(context) + 1)
    labels = [c.token_ids[0] for c in prompt.continuations if c.kind == "label"]
    assert list(prompt.label_ids) == labels
    assert tokenizer.convert_ids_to_tokens(list(prompt.token_ids)) == list(prompt.pieces)


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_last_line_stands_for_the_prompt_only_where_exact(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = TOKENIZERS[kind]()
    shots = [QUESTION] * 3
    fmt = changed(RAW, shot="{{ question }}\n{{ options }}\nAnswer: {{ answer }}\n\n", shots=3)
    short = show(fmt, tokenizer, shots=shots)
    monkeypatch.setattr(tokens, "_tail", lambda _, prompt, ids: (prompt, list(ids)))
    assert show(fmt, tokenizer, shots=shots) == short


def test_last_line_is_used_for_common_tokenizers() -> None:
    """What makes rendering quick must not silently stop being used."""
    text = "A long question?\nA. yes\nAnswer:"
    for tokenizer in (byte_level(), metaspace(), llama_like()):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert tokens._tail(tokenizer, text, ids)[0] == "\nAnswer:"
    assert tokens._line_break(newline_merging()) == []


def test_label_after_raw_text_carries_its_space_and_after_a_template_none() -> None:
    """Pitfalls 1 and 4: the same label is another token in another context."""
    raw = show(RAW, byte_level())
    chat = show(CHAT, byte_level(CHATML))
    names = byte_level().convert_ids_to_tokens
    assert names(list(raw.label_ids)) == ["ĠA", "ĠB", "ĠC", "ĠD"]
    assert names(list(chat.label_ids)) == ["A", "B", "C", "D"]
    assert [c.text for c in raw.continuations[:2]] == [" A", " Paris"]
    assert [c.text for c in chat.continuations[:2]] == ["A", "Paris"]
    assert raw.text == render_text(QUESTION, RAW).raw
    assert chat.text == (
        "<|im_start|>user\nWhat is the capital of France?\nA. Paris\nB. London\nC. None\nD. 3"
        "<|im_end|>\n<|im_start|>assistant\n"
    )


def test_label_after_raw_sentencepiece_text_is_one_spaced_token() -> None:
    """Pitfall 2: the dummy prefix that a text alone gets must not slip in."""
    for tokenizer in (metaspace(), metaspace("always"), llama_like()):
        prompt = show(RAW, tokenizer)
        assert tokenizer.convert_ids_to_tokens(list(prompt.label_ids)) == ["▁A", "▁B", "▁C", "▁D"]
        assert all(len(c.token_ids) == 1 for c in prompt.continuations if c.kind == "label")


def test_spellings_are_distinct_tokens_and_know_whether_they_are_whole() -> None:
    prompt = show(RAW, byte_level())
    names = {
        spelling.spelling: (
            byte_level().convert_ids_to_tokens([spelling.token_id])[0],
            spelling.whole,
        )
        for spelling in prompt.spellings
        if spelling.label == "A"
    }
    assert names["A"] == ("A", True)
    assert names[" A"] == ("ĠA", True)
    assert names["(A"] == ("(", False)
    assert names["\nA"] == ("Ċ", False)
    assert names["a"] == ("a", True)
    assert "A." not in names  # its first token is that of "A"
    pairs = [(spelling.label, spelling.token_id) for spelling in prompt.spellings]
    assert len(pairs) == len(set(pairs))


def test_trailing_space_moves_to_the_answer() -> None:
    """Pitfall 3."""
    plain = show(RAW, byte_level())
    spaced = show(changed(RAW, user=RAW.user + " "), byte_level())
    assert codes(spaced) == {"trailing-space"}
    assert codes(plain) == set()
    assert spaced.token_ids == plain.token_ids
    assert spaced.label_ids == plain.label_ids
    assert not spaced.text.endswith(" ")


def test_trailing_space_stays_under_a_delimiter_of_its_own() -> None:
    prompt = show(changed(RAW, user=RAW.user + " ", delimiter=""), byte_level())
    assert prompt.text.endswith("Answer: ")
    assert prompt.pieces[-1] == "Ġ"
    assert {"trailing-space", "boundary-merge"} <= codes(prompt)


@pytest.mark.parametrize(
    ("end", "delimiter"),
    [("Answer:", " "), ("Answer:\n", ""), ("The answer is (", ""), ("A:  ", "  ")],
)
def test_delimiter_follows_from_the_end_of_the_text(end: str, delimiter: str) -> None:
    prompt = show(changed(RAW, user="{{ question }}\n" + end), byte_level())
    assert prompt.continuations[0].text == delimiter + "A"


def test_labels_that_begin_with_one_token_are_told() -> None:
    """Pitfall 12: with several tokens a label's first token may say nothing."""
    labels = ("10", "11", "12", "13")
    options = tuple(Option(label, text) for label, text in zip(labels, "wxyz", strict=True))
    question = msgspec.structs.replace(QUESTION, options=options, gold=None)
    prompt = show(RAW, byte_level(), question)
    lengths = {len(c.token_ids) for c in prompt.continuations if c.kind == "label"}
    assert max(lengths) > 1
    assert len(set(prompt.label_ids)) < 4
    assert "multi-token-label" in codes(prompt)
    assert "multi-token-label" not in codes(show(RAW, byte_level()))


def test_begin_token_comes_once_before_raw_text() -> None:
    """Pitfalls 7 and 8."""
    for tokenizer in (byte_level(None, True), metaspace(), llama_like()):
        bos = tokenizer.bos_token
        prompt = show(RAW, tokenizer)
        assert prompt.pieces.count(bos) == 1
        assert prompt.pieces[0] == bos
        assert prompt.text == bos + render_text(QUESTION, RAW).raw
        written = show(changed(RAW, user=bos + RAW.user), tokenizer)
        assert written.pieces.count(bos) == 1
        assert codes(prompt) == codes(written) == set()
    assert show(RAW, byte_level()).pieces[:2] == ("Wh", "at")


def test_two_begin_tokens_and_none_are_told() -> None:
    doubled = show(CHAT, byte_level("{{ bos_token }}{{ bos_token }}" + CHATML, True))
    assert codes(doubled) == {"double-bos"}
    assert codes(show(CHAT, byte_level(CHATML, True))) == {"no-bos"}
    assert codes(show(CHAT, byte_level("{{ bos_token }}" + CHATML, True))) == set()


def test_base_model_gets_raw_text_and_says_so() -> None:
    prompt = show(changed(CHAT, system="Be brief."), byte_level())
    assert codes(prompt) == {"no-chat-template"}
    assert not prompt.chat
    assert prompt.text.startswith("Be brief.\n\nWhat is")
    assert show(CHAT, byte_level(CHATML)).chat


def test_system_text_is_folded_where_the_template_rejects_it() -> None:
    """Pitfall 36."""
    prompt = show(changed(CHAT, system="Be brief."), metaspace("first", INST))
    assert codes(prompt) == {"system-folded"}
    assert prompt.text.startswith("<s>[INST] Be brief.\n\nWhat is")
    accepted = show(changed(CHAT, system="Be brief."), byte_level(CHATML))
    assert codes(accepted) == set()
    assert accepted.text.startswith(
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhat"
    )


def test_system_text_that_the_template_drops_is_told() -> None:
    template = CHATML.replace("messages", "messages if m['role'] != 'system'")
    prompt = show(changed(CHAT, system="Be brief."), byte_level(template))
    assert codes(prompt) == {"system-dropped"}


def test_text_that_the_template_adds_is_told() -> None:
    """Pitfall 35: a default system text, and today's date."""
    default = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n" + CHATML
    prompt = show(CHAT, byte_level(default))
    assert codes(prompt) == {"template-text"}
    assert "You are a helpful assistant" in prompt.warnings[0].message
    dated = "Today: {{ strftime_now('%d %b %Y') }}\n" + CHATML
    prompt = show(CHAT, byte_level(dated))
    assert datetime.now().strftime("%d %b %Y") in prompt.text
    assert "date-in-prompt" in codes(prompt)
    unused = "{% if dated %}{{ strftime_now('%d %b %Y') }}{% endif %}" + CHATML
    assert codes(show(CHAT, byte_level(unused))) == set()


def test_a_user_turn_that_the_template_rewrites_is_told() -> None:
    template = CHATML.replace("{{ m['content'] }}", "{{ m['content'] | upper }}")
    assert codes(show(CHAT, byte_level(template))) == {"user-rewritten"}


def test_thinking_is_switched_off() -> None:
    """Pitfall 11."""
    template = CHATML.replace(
        "assistant\n{% endif %}",
        "assistant\n{% if enable_thinking is defined and not enable_thinking %}"
        "<think>\n\n</think>\n\n{% endif %}{% endif %}",
    )
    prompt = show(CHAT, byte_level(template))
    assert prompt.text.endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")
    assert codes(prompt) == {"thinking-off", "boundary-merge"}  # GPT-2 cuts "\\n\\n" before text
    assert byte_level().convert_ids_to_tokens(list(prompt.label_ids)) == ["A", "B", "C", "D"]
    opened = show(CHAT, byte_level(CHATML.replace("assistant\n{%", "assistant\n<think>\n{%")))
    assert codes(opened) == {"thinking-open"}


def test_prefill_continues_the_assistant_turn() -> None:
    fmt = changed(CHAT, prefill="The answer is (")
    prompt = show(fmt, byte_level(CHATML))
    assert prompt.text.endswith("<|im_start|>assistant\nThe answer is (")
    assert prompt.continuations[0].text == "A"
    spaced = show(changed(CHAT, prefill="Answer: "), byte_level(CHATML))
    assert spaced.text.endswith("assistant\nAnswer:")
    assert spaced.continuations[0].text == " A"
    assert codes(spaced) == {"trailing-space"}
    inst = show(changed(CHAT, prefill="Answer:"), metaspace("first", INST))
    assert inst.text.endswith("[/INST] Answer:")
    raw = show(changed(fmt, user=RAW.user), byte_level())
    assert raw.text.endswith("Answer: The answer is (")


def test_prefill_is_appended_where_the_template_rewrites_it() -> None:
    template = CHATML.replace("{{ m['content'] }}", "{{ m['content'] | replace('(', '') }}")
    prompt = show(changed(CHAT, prefill="The answer is ("), byte_level(template))
    assert prompt.text.endswith("<|im_start|>assistant\nThe answer is (")


def test_broken_chat_template_is_one_sentence() -> None:
    with pytest.raises(FormatError, match=r"chat template fails: .*no such turn"):
        show(CHAT, byte_level("{{ raise_exception('no such turn') }}"))


SHOTS = [
    Question(f"Number {i}?", (Option("1", "yes"), Option("2", "no")), gold="2") for i in range(5)
]
FEW = changed(
    RAW,
    header="About {{ subject }}.\n\n",
    shot="{{ question }}\n{{ options }}\nAnswer: {{ answer }} = {{ answer_text }}\n\n",
    shots=3,
    too_long="drop-shots",
)


def test_shots_are_the_first_in_file_order_under_the_format_s_labels() -> None:
    prompt = show(FEW, byte_level(), shots=SHOTS)
    assert prompt.shots == 3
    assert prompt.text.startswith(
        "About high_school_geography.\n\n"
        "Number 0?\nA. yes\nB. no\nAnswer: B = no\n\n"
        "Number 1?\nA. yes\nB. no\nAnswer: B = no\n\n"
        "Number 2?\nA. yes\nB. no\nAnswer: B = no\n\n"
        "What is the capital of France?\nA. Paris"
    )
    assert codes(prompt) == set()


def test_missing_shots_are_told_with_the_numbers() -> None:
    without_gold = [msgspec.structs.replace(SHOTS[0], gold=None)]
    prompt = show(FEW, byte_level(), shots=SHOTS[:2] + without_gold)
    assert prompt.shots == 2
    assert codes(prompt) == {"shots-missing"}
    assert "3" in prompt.warnings[0].message
    assert "2" in prompt.warnings[0].message


def test_shots_are_dropped_until_prompt_and_generation_fit() -> None:
    whole = len(show(FEW, byte_level(), shots=SHOTS).token_ids)
    one_less = len(show(changed(FEW, shots=2), byte_level(), shots=SHOTS).token_ids)
    fits = show(FEW, byte_level(), shots=SHOTS, window=whole + 8, max_new_tokens=8)
    assert (fits.shots, fits.dropped_tokens, codes(fits)) == (3, 0, set())
    short = show(FEW, byte_level(), shots=SHOTS, window=whole + 7, max_new_tokens=8)
    assert (short.shots, short.dropped_tokens) == (2, 0)
    assert len(short.token_ids) == one_less
    assert codes(short) == {"shots-dropped"}


def test_an_over_long_prompt_without_shots_is_cut_from_the_left() -> None:
    """Pitfall 28: the loop that drops shots ends at none; the begin token survives the cut."""
    tokenizer = byte_level(None, True)
    full = show(changed(FEW, shots=0), tokenizer)
    prompt = show(FEW, tokenizer, shots=SHOTS, window=30, max_new_tokens=8)
    assert prompt.shots == 0
    assert len(prompt.token_ids) == 22
    assert prompt.dropped_tokens == len(full.token_ids) - 22
    assert prompt.token_ids == (full.token_ids[0], *full.token_ids[-21:])
    assert prompt.label_ids == full.label_ids
    assert codes(prompt) == {"shots-dropped", "truncated"}
    cut = show(changed(FEW, too_long="truncate-left"), tokenizer, shots=SHOTS, window=60)
    assert (cut.shots, codes(cut)) == (3, {"truncated"})


def test_the_longest_option_fits_behind_the_prompt() -> None:
    long = msgspec.structs.replace(QUESTION.options[0], text="Paris " * 30)
    question = msgspec.structs.replace(QUESTION, options=(long, *QUESTION.options[1:]))
    prompt = show(RAW, byte_level(), question, window=80)
    longest = max(len(c.token_ids) for c in prompt.continuations)
    assert len(prompt.token_ids) + longest == 80


def test_a_window_without_room_is_one_sentence() -> None:
    with pytest.raises(FormatError, match="window of 20 tokens leaves no room"):
        show(RAW, byte_level(), window=20, max_new_tokens=20)


# Prompts changed by hand

ENDS = ["Answer:", "Answer:  ", "The answer is (", "Answer:\n", "Answer:\n\n"]


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("how", [{}, {"delimiter": ""}, {"prefill": "The letter is"}], ids=str)
def test_an_edited_prompt_that_is_not_changed_has_the_same_tokens(
    kind: str, end: str, how: dict[str, str]
) -> None:
    tokenizer = TOKENIZERS[kind]()
    user = "{{ question }}\n{{ options }}\n" + end
    fmt = changed(PromptFormat("any", user, system="Be brief."), **how)
    whole = len(show(fmt, tokenizer).token_ids)
    for window in (None, whole):
        own = show(fmt, tokenizer, window=window, max_new_tokens=9)
        edited = show(fmt, tokenizer, window=window, max_new_tokens=9, edited=own.text)
        assert msgspec.structs.replace(edited, warnings=own.warnings) == own
        assert codes(edited) - codes(own) == {"edited"}
        assert (own.dropped_tokens > 0) == (window is not None)


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize(
    "tail", ["", " ", "\nAnswer:", " The answer is", " (", "\n", "\nx  ", " I'd say that it's **"]
)
def test_answers_follow_the_end_of_an_edited_prompt(kind: str, tail: str) -> None:
    tokenizer = TOKENIZERS[kind]()
    own = show(CHAT, tokenizer)
    text = own.text.replace("capital", "largest town") + tail
    prompt = show(CHAT, tokenizer, edited=text)
    body = plain_text(prompt)
    context = tokenizer(body, add_special_tokens=False).input_ids
    begin = [tokenizer.bos_token_id] if body != prompt.text else []
    assert prompt.text == text
    assert prompt.token_ids == (*begin, *context)
    for continuation in prompt.continuations:
        whole = tokenizer(body + continuation.text, add_special_tokens=False).input_ids
        if whole[: len(context)] == context:
            assert list(continuation.token_ids) == whole[len(context) :]
        else:
            assert "boundary-merge" in codes(prompt)
    labels = [c.token_ids[0] for c in prompt.continuations if c.kind == "label"]
    assert list(prompt.label_ids) == labels
    assert prompt.pieces == tuple(tokenizer.convert_ids_to_tokens(list(prompt.token_ids)))
    assert (prompt.chat, prompt.shots) == (own.chat, own.shots)


def plain_text(prompt: RenderedPrompt) -> str:
    """A prompt's text without the begin token that a tokenizer puts before raw text."""
    begins = [] if prompt.chat else ["<|begin|>", "<s>"]
    return next(
        (prompt.text.removeprefix(begin) for begin in begins if prompt.text.startswith(begin)),
        prompt.text,
    )


def test_an_answer_begins_as_before_where_the_end_is_as_before() -> None:
    raw = show(RAW, byte_level())
    edited = show(RAW, byte_level(), edited=raw.text.replace("France", "Peru"))
    assert edited.label_ids == raw.label_ids
    assert [c.text for c in edited.continuations[:2]] == [" A", " Paris"]
    spaced = changed(RAW, user=RAW.user + "  ")
    own = show(spaced, byte_level())
    assert show(spaced, byte_level(), edited="Well? " + own.text).continuations[0].text == "  A"
    chat = show(CHAT, byte_level(CHATML))
    edited = show(CHAT, byte_level(CHATML), edited=chat.text.replace("France", "Peru"))
    assert [c.text for c in edited.continuations[:2]] == ["A", "Paris"]


def test_a_space_at_the_end_of_an_edited_prompt_stays_and_is_told() -> None:
    prompt = show(RAW, byte_level(), edited="Answer with a letter:  ")
    assert prompt.text == "Answer with a letter:  "
    assert prompt.pieces[-1].startswith("Ġ")
    assert prompt.continuations[0].text == "A"
    assert byte_level().convert_ids_to_tokens(list(prompt.label_ids)) == ["A", "B", "C", "D"]
    messages = {warning.code: warning.message for warning in prompt.warnings}
    assert "2 space(s), kept" in messages["trailing-space"]
    assert "changed by hand" in messages["edited"]
    assert "trailing-space" not in codes(show(RAW, byte_level(), edited="Answer:"))


def test_an_edited_prompt_that_goes_on_is_answered_after_what_it_says() -> None:
    tokenizer = byte_level(CHATML)
    own = show(CHAT, tokenizer)
    begun = show(CHAT, tokenizer, edited=own.text + "The answer is")
    assert tokenizer.convert_ids_to_tokens(list(begun.label_ids)) == ["ĠA", "ĠB", "ĠC", "ĠD"]
    opened = show(CHAT, tokenizer, edited=own.text + "The answer is (")
    assert tokenizer.convert_ids_to_tokens(list(opened.label_ids)) == ["A", "B", "C", "D"]
    fixed = show(changed(CHAT, delimiter="::"), tokenizer, edited=own.text + "The answer is")
    assert fixed.continuations[0].text == "::A"


def test_the_begin_token_of_an_edited_prompt_is_what_the_text_says() -> None:
    for tokenizer in (byte_level(None, True), metaspace(), llama_like()):
        bos = tokenizer.bos_token
        own = show(RAW, tokenizer)
        without = show(RAW, tokenizer, edited=own.text.removeprefix(bos))
        assert without.token_ids == own.token_ids[1:]
        assert codes(without) == {"edited", "no-bos"}
        twice = show(RAW, tokenizer, edited=bos + own.text)
        assert twice.token_ids[:2] == (tokenizer.bos_token_id,) * 2
        assert codes(twice) == {"edited", "double-bos"}


def test_an_edited_prompt_that_is_too_long_is_cut_like_any_other() -> None:
    tokenizer = byte_level(None, True)
    text = show(RAW, tokenizer).text
    long = text.replace("What", "Many words. " * 30 + "What")
    prompt = show(RAW, tokenizer, edited=long, window=60, max_new_tokens=8)
    assert len(prompt.token_ids) == 52
    assert prompt.pieces[0] == tokenizer.bos_token
    assert prompt.text == long
    assert prompt.dropped_tokens > 0
    assert {"edited", "truncated"} <= codes(prompt)


def test_strange_texts_survive() -> None:
    """Duplicate option texts, template syntax, braces and line breaks are data like any other."""
    options = ("{{ question }}", "{label}", "same", "same", "two\nlines", "{% if %}")
    question = Question(
        "{{ x }} {text}?", tuple(Option(*p) for p in zip("ABCDEF", options, strict=True))
    )
    prompt = show(RAW, byte_level(), question)
    assert prompt.text == (
        "{{ x }} {text}?\nA. {{ question }}\nB. {label}\nC. same\nD. same\nE. two\nlines\n"
        "F. {% if %}\nAnswer:"
    )
    assert prompt.continuations[5].token_ids == prompt.continuations[7].token_ids
    assert len(prompt.continuations) == 12


def test_rendered_prompts_cross_the_pipe() -> None:
    prompt = show(CHAT, byte_level(CHATML))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(prompt), type=RenderedPrompt) == prompt


def test_render_text_needs_no_tokenizer() -> None:
    parts = render_text(QUESTION, changed(FEW, system="S", prefill="P"), shots=SHOTS[:1])
    assert parts.messages == [
        {"role": "system", "content": "S"},
        {"role": "user", "content": parts.user},
        {"role": "assistant", "content": "P"},
    ]
    assert parts.user.startswith("About high_school_geography.\n\nNumber 0?\nA. yes")
    assert parts.shots == 1


@pytest.mark.parametrize("model", ["embedded-prototype", "aidreams260K"])
@pytest.mark.parametrize("name", ["low", "middle", "high", "example", "mmlu-original"])
def test_trained_tokenizers(shared_data: Path, model: str, name: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(shared_data / "models" / model)
    prompt = show(load_format(name), tokenizer, shots=[QUESTION] * 5)
    base = model == "aidreams260K"
    assert ("no-chat-template" in codes(prompt)) == (base and name != "mmlu-original")
    assert prompt.pieces.count("<s>") == base
    body = prompt.text.removeprefix("<s>")
    for continuation in prompt.continuations:
        whole = tokenizer(body + continuation.text, add_special_tokens=base)["input_ids"]
        assert tuple(whole) == prompt.token_ids + continuation.token_ids
    assert ("multi-token-label" in codes(prompt)) == base
