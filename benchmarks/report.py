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

    def __init__(self, columns: tuple[str, ...]) -> None:
        self.lines: list[str] = []
        self.row(*columns)
        self.row(*["---"] * len(columns))

    def row(self, *cells: object) -> None:
        """Add and print one row."""
        line = "| " + " | ".join(map(str, cells)) + " |"
        self.lines.append(line)
        print(line, flush=True)


class Report:
    """What one benchmark found, in the order it was found.

    Args:
        name: Of the benchmark's module.
        about: Its module docstring; every paragraph but the command is kept.
        keep: Whether :meth:`write` writes.
    """

    def __init__(self, name: str, about: str, *, keep: bool = True) -> None:
        self._name = name
        paragraphs = [" ".join(part.split()) for part in about.split("\n\n")]
        self._about = [part for part in paragraphs if part and not part.startswith("python -m")]
        self._keep = keep
        self._machine = describe()
        self._parts: list[Table | str] = []
        print(f"# {name}\n{self._machine}\n", flush=True)

    def heading(self, words: str) -> None:
        """Name what comes next."""
        self._say(f"### {words}")

    def table(self, *columns: str) -> Table:
        """Begin a table."""
        table = Table(columns)
        self._parts.append(table)
        return table

    def note(self, sentence: str) -> None:
        """Say something under the table."""
        self._say(f"- {sentence}")

    def _say(self, line: str) -> None:
        self._parts.append(line)
        print(line, flush=True)

    def write(self) -> None:
        """Put the report in the place of the benchmark's last one in RESULTS.md."""
        if not self._keep:
            print("A small version: nothing is written.", flush=True)
            return
        sections = _sections(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
        sections[self._name] = "\n\n".join([*self._about, self._machine, *self._blocks()])
        written = [f"## {name}\n\n{text}\n" for name, text in sorted(sections.items())]
        RESULTS.write_text("\n".join([_HEAD, *written]), encoding="utf-8")

    def _blocks(self) -> list[str]:
        """The parts as Markdown blocks; notes that follow each other are one list."""
        blocks: list[str] = []
        for part in self._parts:
            block = part if isinstance(part, str) else "\n".join(part.lines)
            if block.startswith("- ") and blocks and blocks[-1].startswith("- "):
                blocks[-1] += f"\n{block}"
            else:
                blocks.append(block)
        return blocks


def _sections(text: str) -> dict[str, str]:
    """The sections of a results file by name."""
    _, *parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    return {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}
