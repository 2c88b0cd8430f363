"""Reports: printed as they grow, and kept as one section of ``benchmarks/RESULTS.md``."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.machine import describe

RESULTS = Path(__file__).with_name("RESULTS.md")
_HEAD = """# Results

What the benchmarks of this folder printed the last time each was run. Every section says on which
machine; compare numbers inside a section only. `make bench` repeats them all.
"""


class Table:
    """A Markdown table that is printed line by line."""

    def __init__(self, report: Report, columns: tuple[str, ...]) -> None:
        self._report = report
        self.lines: list[str] = []
        self.row(*columns)
        self.row(*["---"] * len(columns))

    def row(self, *cells: object) -> None:
        """Add and print one row."""
        line = "| " + " | ".join(map(str, cells)) + " |"
        self.lines.append(line)
        print(line, flush=True)


class Report:
    """What one benchmark found.

    Args:
        name: Of the benchmark's module.
        about: Its module docstring; the first paragraph and the one after the command are kept.
    """

    def __init__(self, name: str, about: str) -> None:
        self._name = name
        paragraphs = [" ".join(part.split()) for part in about.split("\n\n")]
        self._about = [part for part in paragraphs if part and not part.startswith("python -m")]
        self._machine = describe()
        self._parts: list[Table | str] = []
        print(f"# {name}\n{self._machine}\n", flush=True)

    def table(self, *columns: str) -> Table:
        """Begin a table."""
        table = Table(self, columns)
        self._parts.append(table)
        return table

    def note(self, sentence: str) -> None:
        """Say something beside the table."""
        self._parts.append(sentence)
        print(sentence, flush=True)

    def write(self) -> None:
        """Put the report in the place of the benchmark's last one in RESULTS.md."""
        sections = _sections(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
        tables = ["\n".join(part.lines) for part in self._parts if isinstance(part, Table)]
        notes = [f"- {part}" for part in self._parts if isinstance(part, str)]
        body = [*self._about, self._machine, *tables]
        if notes:
            body.append("\n".join(notes))
        sections[self._name] = "\n\n".join(body)
        written = [f"## {name}\n\n{text}\n" for name, text in sorted(sections.items())]
        RESULTS.write_text("\n".join([_HEAD, *written]), encoding="utf-8")


def _sections(text: str) -> dict[str, str]:
    """The sections of a results file by name."""
    _, *parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    return {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}
