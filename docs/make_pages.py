"""Write the pages that are made from the product itself: ``make pages``.

The schema page comes from the comments in a fresh database, the keys page from the registry of
actions. A test holds both equal to what they are made from.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from engine.sql.catalog import read_catalog
from engine.store import open_store

if TYPE_CHECKING:
    from engine.sql.catalog import Table

PAGES = Path(__file__).parent

_SCHEMA = """# The database

One DuckDB file holds everything. This page is made from the database's own comments
(`make pages`); the same words stand beside the SQL editor, and `DESCRIBE probes` gives the types.
Times are UTC, logprobs natural logarithms. NULL is "not recorded", never zero.

Begin with **listing**: one row a question, format and option order, with what every reading says
and which flags are up. The tables below it hold what that was made from.
"""

_KEYS = """# All keys

Made from the registry of actions by `logitscope config keys --markdown` (`make pages`). The id is
what [settings](settings.md) name to give an action other keys; `?` shows the same in the explorer,
for the part that has the focus.
"""

_FIRST = ("listing", "outcomes", "runs", "questions", "probes", "generations", "positions")


def schema_page() -> str:
    """Every table and view with its columns."""
    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder) / "new.duckdb") as store:
        tables = {table.name: table for table in read_catalog(store).tables}
    names = [*_FIRST, *sorted(name for name in tables if name not in _FIRST)]
    return "\n".join([_SCHEMA, *(_section(tables[name]) for name in names)])


def _section(table: Table) -> str:
    rows = "\n".join(
        f"| `{column.name}` | {column.type} | {_cell(column.about)} |" for column in table.columns
    )
    return (
        f"## {table.name}\n\n{table.about or 'A ' + table.kind + '.'}\n\n"
        f"| column | type | |\n|---|---|---|\n{rows}\n"
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def keys_page() -> str:
    """Every action with the keys that it has without settings."""
    printed = subprocess.run(
        [sys.executable, "-m", "tui.cli", "config", "keys", "--markdown"],
        env={**os.environ, "LOGITSCOPE_CONFIG": os.devnull},
        capture_output=True,
        text=True,
        check=True,
    )
    return _KEYS + "\n" + printed.stdout.strip() + "\n"


def pages() -> dict[str, str]:
    """The pages by the names of their files."""
    return {"schema.md": schema_page(), "keys.md": keys_page()}


def main() -> None:
    """Write them."""
    for name, text in pages().items():
        (PAGES / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
