"""``logitscope serve``: the explorer in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tui.opening import database_to_explore
from tui.output import say

LOOPBACK = "127.0.0.1"


def serve(
    db: Annotated[
        Path | None, typer.Argument(help="A database; the recorded demo when left out.")
    ] = None,
    port: Annotated[
        int, typer.Option(help="Port; 0 takes any that is free.", min=0, max=65535)
    ] = 8000,
    host: Annotated[
        str, typer.Option(help="Address to listen on; every other than this one is a risk.")
    ] = LOOPBACK,
    open_browser: Annotated[bool, typer.Option("--open", help="Open a browser on it.")] = False,
) -> None:
    """Serve the explorer to a browser on this machine.

    Every page is an explorer of its own. The first one holds the database, those opened meanwhile
    show a copy of it. The address is printed to standard output; Ctrl+C ends everything.
    """
    import asyncio
    import shlex
    import sys

    path = database_to_explore(db)
    from tui.web.server import ExplorerServer

    # No folder of the user's may stand in for the modules of logitscope.
    command = [sys.executable, "-P", "-m", "tui.cli", "explore", "--copy-if-locked"]
    if db is not None:
        command.append(str(path.resolve()))
    server = ExplorerServer(f"exec {shlex.join(command)}", host, port, f"logitscope {path.name}")
    if not _is_loopback(host):
        say(
            f"Other machines can reach {host}: whoever learns the address below can read the "
            "database, run models and write files on this machine as you. Nothing is encrypted."
        )

    def ready(address: str) -> None:
        say(f"Serving {path}; Ctrl+C ends it. The key in the address keeps others out.")
        print(address, flush=True)
        if open_browser:
            import webbrowser

            webbrowser.open(address)

    asyncio.run(server.run(ready))


def _is_loopback(host: str) -> bool:
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
