"""``logitscope doctor``: what is installed, which device, who holds the database."""

from __future__ import annotations

from typing import Annotated

import typer

from tui.commands.database import DatabaseOption
from tui.output import print_json


def doctor(
    db: DatabaseOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what is installed and what a model would run on.

    And what a database holds, or which process holds it.
    """
    from engine.demo import demo_path
    from engine.doctor import diagnose

    demo = demo_path()
    checks = diagnose(db if db is not None else (demo if demo.exists() else None))
    if json:
        print_json(checks)
    else:
        width = max(len(check.name) for check in checks)
        for check in checks:
            mark = "ok" if check.ok else "!!"
            print(f"{mark}  {check.name:<{width}}  {check.value}")
            if check.hint and not check.ok:
                print(f"    {'':<{width}}  {check.hint}")
    if not all(check.ok for check in checks):
        raise typer.Exit(1)
