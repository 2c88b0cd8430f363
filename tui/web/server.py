"""A small web server on which every open page is an explorer process of its own.

What carries keys and frames between page and process is textual-serve's. Around it: a page that
loads nothing from elsewhere, an address with a key in it, so that other users of the machine and
other pages in the browser have no way in, and processes that end with their page or the server.
"""

from __future__ import annotations

import asyncio
import html
import os
import secrets
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from string import Template

from aiohttp import WSCloseCode, web
from textual_serve.app_service import AppService
from textual_serve.server import Server

from engine.errors import LogitscopeError

KEY_BYTES = 12
PATIENCE = 5.0
"""Seconds that an explorer gets to end, until it is killed."""
FONT_SIZE, SMALLEST, LARGEST = 16, 6, 48
"""Pixels; ``?fontsize=`` at the end of the address changes it."""
_PAGE = Template((Path(__file__).parent / "index.html").read_text(encoding="utf-8"))
_ONLY_FROM_HERE = (
    "default-src 'self'; script-src 'self' 'nonce-{nonce}'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self' ws: wss:; frame-ancestors 'none'"
)
_PRIVATE = {"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
_NOT_STARTED = (
    "\x1b[2J\x1b[HThe explorer could not be opened.\r\n"
    "The terminal that runs logitscope serve says why."
)


class _Explorer(AppService):
    """One explorer process, as long as its page is open."""

    drew = False

    def _build_environment(self, width: int = 80, height: int = 24) -> dict[str, str]:
        environment = super()._build_environment(width, height)
        return environment | {"TEXTUAL_DRIVER": "tui.web.driver:ServedDriver"}

    async def on_data(self, payload: bytes) -> None:
        self.drew = True
        await super().on_data(payload)

    async def run(self) -> None:
        """Carry frames until the process ends; then the page is told."""
        await super().run()
        with suppress(ConnectionError):
            if not self.drew:
                await self.remote_write_bytes(_NOT_STARTED.encode())
            await self.remote_close()

    async def stop(self) -> None:
        """End the process, by force where it takes too long."""
        process = self._process
        try:
            await asyncio.wait_for(super().stop(), PATIENCE)
        except TimeoutError:
            self._task = None
        if process is not None and process.returncode is None:
            with suppress(TimeoutError, ProcessLookupError):
                await asyncio.wait_for(process.wait(), PATIENCE)
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


class ExplorerServer(Server):
    """Serves explorers.

    Attributes:
        key: The secret part of every address.
    """

    def __init__(self, command: str, host: str, port: int, title: str) -> None:
        """Serve what a shell command starts.

        Args:
            command: The command line of one explorer.
            host: Address to listen on.
            port: Port to listen on; 0 for any that is free.
            title: Of the page.
        """
        super().__init__(command, host, port, title)
        self.key = secrets.token_urlsafe(KEY_BYTES)
        self._pages: dict[web.WebSocketResponse, asyncio.Task[None] | None] = {}
        self._ending: set[asyncio.Task[None]] = set()

    async def run(self, ready: Callable[[str], None]) -> None:
        """Serve until SIGINT or SIGTERM; every explorer has ended then.

        Args:
            ready: Is told the address once it can be opened.

        Raises:
            LogitscopeError: The port can't be listened on.
        """
        stopped = asyncio.Event()
        for each in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(each, stopped.set)
        runner = web.AppRunner(await self._make_app(), access_log=None)
        await runner.setup()
        try:
            await self._listen(runner)
            port = runner.addresses[0][1]
            host = f"[{self.host}]" if ":" in self.host else self.host
            ready(f"http://{host}:{port}/{self.key}/")
            await stopped.wait()
        finally:
            await runner.cleanup()

    async def _listen(self, runner: web.AppRunner) -> None:
        try:
            await web.TCPSite(runner, self.host, self.port).start()
        except OSError as error:
            raise LogitscopeError(
                f"Port {self.port} of {self.host} can't be served: {_reason(error)}.",
                "Name another port with --port; 0 takes any that is free.",
            ) from error

    async def _make_app(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get("/{key}/", self.handle_index),
                web.get("/{key}/ws", self.handle_websocket),
                web.get("/download/{key}", self.handle_download),
                web.static("/static", self.statics_path),
            ]
        )
        app.on_shutdown.append(self.on_shutdown)
        return app

    def _check_key(self, request: web.Request) -> None:
        if not secrets.compare_digest(request.match_info["key"].encode(), self.key.encode()):
            raise web.HTTPNotFound(text="Open the address that logitscope serve printed.\n")

    async def handle_index(self, request: web.Request) -> web.Response:
        """The page; everything it needs comes from this server."""
        self._check_key(request)
        asked = request.query.get("fontsize", "")
        size = int(asked) if asked.isascii() and asked.isdigit() else FONT_SIZE
        nonce = secrets.token_urlsafe(KEY_BYTES)
        page = _PAGE.substitute(
            nonce=nonce,
            title=html.escape(self.title),
            websocket=html.escape(f"ws://{request.host}/{self.key}/ws"),
            font_size=max(SMALLEST, min(size, LARGEST)),
        )
        policy = {"Content-Security-Policy": _ONLY_FROM_HERE.format(nonce=nonce)}
        return web.Response(text=page, content_type="text/html", headers=policy | _PRIVATE)

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """One explorer, from the opening of its page to its end."""
        self._check_key(request)
        websocket = web.WebSocketResponse(heartbeat=15)
        await websocket.prepare(request)
        if self._ending:
            # A page that is loaded again must not find the database held by its predecessor.
            await asyncio.wait(self._ending, timeout=2 * PATIENCE)

        async def close() -> None:
            await websocket.close()

        explorer = _Explorer(
            self.command,
            write_bytes=websocket.send_bytes,
            write_str=websocket.send_str,
            close=close,
            download_manager=self.download_manager,
        )
        self._pages[websocket] = asyncio.current_task()
        try:
            await explorer.start(*_size(request))
            await self._process_messages(websocket, explorer)
        except ConnectionError:
            pass  # The page went away in the middle of a frame.
        finally:
            ending = asyncio.create_task(explorer.stop())
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
            await asyncio.shield(ending)
            del self._pages[websocket]
        return websocket

    async def on_shutdown(self, app: web.Application) -> None:
        """Close every page and wait until their explorers have ended."""
        pages = dict(self._pages)
        for page in pages:
            await page.close(code=WSCloseCode.GOING_AWAY, message=b"logitscope serve ended")
        await asyncio.gather(*filter(None, pages.values()), return_exceptions=True)


def _size(request: web.Request) -> tuple[int, int]:
    """Columns and lines that the page has room for."""

    def cells(name: str, otherwise: int) -> int:
        asked = request.query.get(name, "")
        return int(asked) if asked.isascii() and asked.isdigit() else otherwise

    return cells("width", 80), cells("height", 24)


def _reason(error: OSError) -> str:
    # asyncio puts the address in front of what the system said.
    return os.strerror(error.errno).lower() if error.errno else str(error)
