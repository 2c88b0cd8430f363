"""The settings of a format: as rows, as typed text, and changed in the text of its file."""

from __future__ import annotations

import tomllib
from itertools import takewhile
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import FormatError
from engine.formats import Part, PromptFormat, format_file, format_names, load_format, parse_format
from engine.formats.changing import set_value
from engine.formats.writing import format_toml
from tui.format_settings import read, settings, typed

SIMPLE = (bool, int, str)


def found(fmt: PromptFormat) -> dict[str, Any]:
    return {setting.key: setting for setting in settings(fmt)}


# Rows


def test_every_simple_setting_has_a_row_but_for_prose_and_templates() -> None:
    templates = set(get_args(Part)) - {"prefill"}
    fmt = load_format("example")
    expected = {
        field.name
        for field in msgspec.structs.fields(PromptFormat)
        if isinstance(getattr(fmt, field.name), SIMPLE)
    } - {"title", "description", "source"} - templates  # fmt: skip
    assert set(found(fmt)) == expected | {"fields.example_letter"}


def test_kinds_values_and_choices() -> None:
    rows = found(load_format("example"))
    assert (rows["chat"].kind, rows["chat"].value) == ("toggle", True)
    assert (rows["shots"].kind, rows["shots"].value) == ("number", 0)
    assert (rows["delimiter"].kind, rows["delimiter"].value) == ("text", "auto")
    assert rows["too_long"].kind == "choice"
    assert {"truncate-left", "drop-shots"} <= set(rows["too_long"].choices)
    assert (rows["fields.example_letter"].kind, rows["fields.example_letter"].value) == (
        "text",
        "C",
    )


def test_every_row_says_what_it_is_for_in_one_sentence() -> None:
    rows = found(load_format("example"))
    assert rows["shots"].about == "Number of worked examples wanted."
    for row in rows.values():
        assert row.about.endswith(".")
        assert "`" not in row.about


def test_a_prefill_of_several_lines_is_left_to_the_editor() -> None:
    fmt = PromptFormat("x", "{{ question }}", prefill="The answer\nis", delimiter="\n")
    assert "prefill" not in found(fmt)
    assert found(fmt)["delimiter"].value == "\n"


def test_steps() -> None:
    rows = found(load_format("example"))
    assert rows["chat"].step(1) is False
    assert rows["shots"].step(1) == 1
    assert rows["shots"].step(-1) == 0
    assert rows["delimiter"].step(1) is None
    choice = rows["too_long"]
    seen = [choice]
    for _ in choice.choices:
        seen.append(seen[-1]._replace(value=seen[-1].step(1)))
    assert {each.value for each in seen} == set(choice.choices)
    assert seen[-1].value == choice.value
    assert seen[1].step(-1) == choice.value


# Typing


@given(st.text())
def test_what_is_typed_of_a_text_is_that_text(text: str) -> None:
    assert read(typed(text), "text") == text
    assert not {"\n", "\t", "\r"} & set(typed(text))


def test_escapes_and_numbers() -> None:
    assert typed("a\n\\n") == r"a\n\\n"
    assert read(r"\n", "text") == "\n"
    assert read(r"\q", "text") == r"\q"
    assert read(" 5 ", "number") == 5
    assert read("five", "number") is None
    assert read("", "number") is None


# Changing the text

SOURCE = """\
# Ours, after the paper.
name = "ours"    # short
chat=false
user = \"\"\"
{{ question }}
# no comment
shots = 3
Answer: \"\"\"

# What may be changed
[fields]
  letter = 'C'  # the one shown
"""


@pytest.mark.parametrize(
    ("key", "value", "old", "new"),
    [
        ("name", "mine", 'name = "ours"    # short', 'name = "mine"    # short'),
        ("chat", True, "chat=false", "chat=true"),
        ("fields.letter", "D", "letter = 'C'  #", 'letter = "D"  #'),
        ("shots", 5, 'Answer: """\n', 'Answer: """\nshots = 5\n'),
        ("delimiter", "\n ", 'Answer: """\n', 'Answer: """\ndelimiter = "\\n "\n'),
        ("fields.other", "x", "# the one shown\n", '# the one shown\nother = "x"\n'),
    ],
)
def test_only_the_value_changes(key: str, value: Any, old: str, new: str) -> None:
    assert SOURCE.count(old) == 1
    assert set_value(SOURCE, key, value) == SOURCE.replace(old, new)


def test_fields_are_added_and_found_however_they_are_written() -> None:
    assert set_value('name = "x"\n', "fields.a", "1") == 'name = "x"\n\n[fields]\na = "1"\n'
    assert set_value('fields = { a = "1" }\n', "fields.a", "2") == 'fields = { a = "2" }\n'
    assert set_value('fields.a = "1"\n', "fields.a", "2") == 'fields.a = "2"\n'


@pytest.mark.parametrize("source", ["name = ", "fields = 3\n"])
def test_a_text_that_cannot_be_changed_is_named(source: str) -> None:
    with pytest.raises(FormatError, match=r"^fields\.a can't be set in this text: "):
        set_value(source, "fields.a", "1")


values = st.one_of(st.booleans(), st.integers(-9, 99), st.text(max_size=20))
keys = st.sampled_from(
    ["name", "shots", "chat", "delimiter", "user", "fields.example_letter", "new"]
)


@given(name=st.sampled_from(format_names()), key=keys, value=values, rewritten=st.booleans())
def test_just_that_key_changes_in_every_format(
    name: str, key: str, value: Any, rewritten: bool
) -> None:
    source = format_file(name).read_text("utf-8")
    if rewritten:
        source = format_toml(parse_format(source, f"{name}.toml"))
    changed = set_value(source, key, value)
    expected = tomllib.loads(source)
    table, _, last = key.rpartition(".")
    values_of = expected.setdefault(table, {}) if table else expected
    before = values_of.get(last)
    values_of[last] = value
    assert tomllib.loads(changed) == expected
    gone = left_out(source, changed)
    assert "\n" not in gone or "\n" in str(before)
    assert before is not None or not gone


def left_out(one: str, other: str) -> str:
    """What the first text has between what both begin with and what both end with."""
    head = common(one, other)
    tail = common(one[head:][::-1], other[head:][::-1])
    return one[head : len(one) - tail]


def common(one: str, other: str) -> int:
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
