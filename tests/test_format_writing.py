"""A prompt format as a file again: the same format, its templates as one reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.formats import PromptFormat, format_names, load_format, parse_format
from engine.formats.writing import format_toml

texts = st.text().filter(lambda text: "{" not in text and "}" not in text)


@pytest.mark.parametrize("name", format_names())
def test_what_is_written_is_the_same_format(name: str) -> None:
    fmt = load_format(name)
    assert parse_format(format_toml(fmt), "x.toml") == fmt


@given(system=texts, user=texts, prefill=texts, value=texts)
def test_any_text_comes_back(system: str, user: str, prefill: str, value: str) -> None:
    fmt = PromptFormat("x", user, system=system, prefill=prefill, fields={"value": value})
    written = format_toml(fmt)
    again = parse_format(written, "x.toml")
    assert again == fmt


def test_templates_stand_as_they_are_read() -> None:
    fmt = PromptFormat("x", "{{ question }}\n  {{ options }} \n\nAnswer:", chat=False)
    assert format_toml(fmt) == (
        'name = "x"\nchat = false\nuser = """{{ question }}\n  {{ options }} \n\nAnswer:"""\n'
    )
