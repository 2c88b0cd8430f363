"""The explorer in a browser: by a client without one, and in a real one where there is one."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import psutil
import pytest

from tests.browser import Page, find_browser, open_page
from tests.screen_help import DEADLINE

pytestmark = pytest.mark.slow
BROWSER = find_browser()
ENDED = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED)
FIRST_ROW = "row 1 of 48"


class Served:
    """A server process, and the address it printed."""

    def __init__(self, process: asyncio.subprocess.Process, address: str) -> None:
        self.process = process
        self.address = address

    @property
    def explorers(self) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(self.process.pid).children(recursive=True)
        return []

    async def until_explorers(self, count: int) -> None:
        deadline = asyncio.get_running_loop().time() + DEADLINE
        while len(self.explorers) != count:
            assert asyncio.get_running_loop().time() < deadline, self.explorers
            await asyncio.sleep(0.02)


@asynccontextmanager
async def served(database: Path, *arguments: str) -> AsyncIterator[Served]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tui.cli", "serve", str(database), "--port", "0", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), DEADLINE)
        yield Served(process, line.decode().strip())
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await asyncio.wait_for(process.wait(), DEADLINE)


class Client:
    """What a page does, without a browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.received = ""

    async def until(self, words: str) -> None:
        while words not in self.received:
            message = await self.socket.receive(timeout=DEADLINE)
            assert message.type not in ENDED, f"ended before {words!r}: {self.received[-500:]}"
            if message.type == aiohttp.WSMsgType.BINARY:
                self.received += message.data.decode(errors="replace")

    async def until_ended(self) -> None:
        while (await self.socket.receive(timeout=DEADLINE)).type not in ENDED:
            pass

    async def send(self, kind: str, what: object) -> None:
        self.received = ""
        await self.socket.send_str(json.dumps([kind, what]))


@asynccontextmanager
async def connected(server: Served) -> AsyncIterator[Client]:
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"{server.address}ws?width=100&height=30") as socket,
    ):
        yield Client(socket)


async def get(address: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as http, http.get(address) as answer:
        return answer.status, await answer.text()


# Without a browser


async def test_a_page_and_its_explorer(sample_database: Path) -> None:
    async with served(sample_database) as server:
        assert urlsplit(server.address).hostname == "127.0.0.1"
        status, page = await get(server.address)
        assert status == 200
        assert f"ws://{urlsplit(server.address).netloc}" in page
        async with connected(server) as client:
            await client.until(FIRST_ROW)
            await client.send("focus", {})
            await client.send("stdin", "j")
            await client.until("row 2 of 48")
            await client.send("resize", {"width": 120, "height": 40})
            await client.until("row 2 of 48")
            await server.until_explorers(1)
        await server.until_explorers(0)


async def test_nothing_is_loaded_from_elsewhere(sample_database: Path) -> None:
    async with served(sample_database) as server:
        async with aiohttp.ClientSession() as http, http.get(server.address) as answer:
            assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
            page = await answer.text()
        assert "http:" not in page
        assert "https:" not in page
        origin = server.address.rsplit("/", 2)[0]
        for part in page.split('"'):
            if part.startswith("/static/"):
                assert (await get_bytes(f"{origin}{part}")) > 1000


async def get_bytes(address: str) -> int:
    async with aiohttp.ClientSession() as http, http.get(address) as answer:
        assert answer.status == 200, address
        return len(await answer.read())


async def test_only_who_knows_the_address_gets_in(sample_database: Path) -> None:
    async with served(sample_database) as server:
        origin = server.address.rsplit("/", 2)[0]
        status, words = await get(f"{origin}/guessed/")
        assert status == 404
        assert "logitscope serve printed" in words
        with pytest.raises(aiohttp.WSServerHandshakeError):
            async with aiohttp.ClientSession() as http, http.ws_connect(f"{origin}/guessed/ws"):
                pass
        assert not server.explorers


async def test_a_second_page_shows_a_copy_and_a_page_loaded_again_does_not(
    sample_database: Path,
) -> None:
    async with served(sample_database) as server:
        async with connected(server) as first:
            await first.until(FIRST_ROW)
            async with connected(server) as second:
                await second.until(FIRST_ROW)
                assert "Copy made at" in second.received
            assert "Copy made at" not in first.received
        async with connected(server) as again:
            await again.until(FIRST_ROW)
            assert "Copy made at" not in again.received


async def test_leaving_the_explorer_ends_its_page(sample_database: Path) -> None:
    async with served(sample_database) as server, connected(server) as client:
        await client.until(FIRST_ROW)
        await client.send("stdin", "q")
        await client.until_ended()
        await server.until_explorers(0)


async def test_an_explorer_that_cannot_open_says_where_to_look(tmp_path: Path) -> None:
    broken = tmp_path / "broken.duckdb"
    broken.write_text("no database")
    async with served(broken) as server, connected(server) as client:
        await client.until("could not be opened")
        await client.until_ended()


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
async def test_explorers_end_with_their_server(sample_database: Path, end: int) -> None:
    async with served(sample_database) as server, connected(server) as client:
        await client.until(FIRST_ROW)
        explorers = server.explorers
        assert len(explorers) == 1
        os.kill(server.process.pid, end)
        assert await asyncio.wait_for(server.process.wait(), DEADLINE) == (
            -end if end == signal.SIGKILL else 0
        )
        deadline = asyncio.get_running_loop().time() + DEADLINE
        while any(each.is_running() for each in explorers):
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.02)


async def serve_fails(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tui.cli", "serve", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, talk = await asyncio.wait_for(process.communicate(), DEADLINE)
    assert process.returncode == 1
    assert talk.count(b"\n") <= 2
    assert b"Traceback" not in talk
    return talk.decode()


async def test_a_port_in_use_is_one_sentence(sample_database: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        talk = await serve_fails(str(sample_database), "--port", str(port))
    assert f"Port {port} of 127.0.0.1 can't be served: address already in use." in talk
    assert "--port" in talk


async def test_no_database_is_one_sentence(tmp_path: Path) -> None:
    assert "There is no database" in await serve_fails(str(tmp_path / "none.duckdb"))


async def test_an_address_that_others_reach_is_said_to_be_a_risk(sample_database: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tui.cli", "serve", str(sample_database)),
        *("--host", "0.0.0.0", "--port", "0"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        line = await asyncio.wait_for(process.stderr.readline(), DEADLINE)
        assert line.startswith(b"Other machines can reach 0.0.0.0")
    finally:
        process.terminate()
        await asyncio.wait_for(process.communicate(), DEADLINE)


# In a browser


@pytest.mark.skipif(BROWSER is None, reason="no browser of the Chrome family on this machine")
async def test_a_real_browser(sample_database: Path, tmp_path: Path) -> None:
    assert BROWSER is not None
    async with served(sample_database) as server:
        origin = "/".join(server.address.split("/")[:3])
        async with open_page(BROWSER, tmp_path / "profile") as page:
            await page.resize(1280, 800)
            assert await page.colours() == 1
            await page.open(server.address)
            await page.until(lambda: FIRST_ROW in page.received, "the first frame")
            assert await page.evaluate("document.fonts.check('16px \"Roboto Mono\"')")
            before = await _drawn(page)
            await page.type("j")
            await page.until(lambda: "row 2 of 48" in page.received, "the key's frame")
            assert await page.picture() != before
            page.received = ""
            await page.resize(1000, 600)
            await page.until(lambda: "row 2 of 48" in page.received, "the smaller frame")
            assert [*filter(lambda url: not _own(url, origin), page.requested)] == []
            assert page.problems == []
            await server.until_explorers(1)
        await server.until_explorers(0)


async def _drawn(page: Page) -> bytes:
    """The picture of a page once the terminal is drawn on it."""
    deadline = asyncio.get_running_loop().time() + DEADLINE
    while await page.colours() < 20:
        assert asyncio.get_running_loop().time() < deadline, "the page stayed blank"
    return await page.picture()


def _own(url: str, origin: str) -> bool:
    return url.startswith((f"{origin}/", "data:", "about:", origin.replace("http", "ws") + "/"))
