"""Pages that are made from the product say what the product says."""

from __future__ import annotations

import pytest

from docs.make_pages import PAGES, pages
from tests.conftest import REPO
from tui.actions import ACTIONS


@pytest.mark.parametrize("name", ["schema.md", "keys.md"])
def test_a_made_page_is_up_to_date(name: str) -> None:
    assert (PAGES / name).read_text(encoding="utf-8") == pages()[name], "run: make pages"


def test_every_column_is_documented() -> None:
    rows = [line for line in pages()["schema.md"].splitlines() if line.startswith("| `")]
    assert len(rows) > 100
    assert [row for row in rows if row.endswith("|  |")] == []


def test_every_action_is_on_the_keys_page() -> None:
    text = pages()["keys.md"]
    assert [action.id for action in ACTIONS if f"`{action.id}`" not in text] == []


def test_every_page_is_in_the_index() -> None:
    index = (PAGES / "README.md").read_text(encoding="utf-8")
    for page in PAGES.glob("*.md"):
        if page.name != "README.md":
            assert f"({page.name})" in index, f"{page.name} is not in docs/README.md"
    assert "docs/README.md" in (REPO / "README.md").read_text(encoding="utf-8")
