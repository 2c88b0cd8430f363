"""A real browser without a window, driven over its DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

from tests.screen_help import DEADLINE

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--remote-debugging-port=0",
)
LARGEST_PICTURE = 1 << 26
"""Bytes of a message, in which a picture is base64."""
_COLOURS = """
(async () => {
    const image = new Image();
    image.src = "data:image/png;base64,%s";
    await image.decode();
    const canvas = new OffscreenCanvas(image.width, image.height);
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    const pixels = context.getImageData(0, 0, image.width, image.height).data;
    return new Set(new Uint32Array(pixels.buffer)).size;
})()
"""


def find_browser() -> str | None:
    """A browser of the Chrome family on this machine."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """One page: what it was sent, what it asked for, and what it looks like."""

    def __init__(self, connection: aiohttp.ClientWebSocketResponse) -> None:
        self.received = ""
        self.requested: list[str] = []
        self.problems: list[str] = []
        self._connection = connection
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._listener = asyncio.create_task(self._listen())

    async def do(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Carry out a command of the protocol."""
        number = len(self._answers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._connection.send_json({"id": number, "method": method, "params": parameters})
        return await asyncio.wait_for(answer, DEADLINE)

    async def open(self, address: str) -> None:
        for domain in ("Network", "Page", "Runtime", "Log"):
            await self.do(f"{domain}.enable")
        await self.do("Page.navigate", url=address)

    async def type(self, letters: str) -> None:
        for letter in letters:
            for kind in ("keyDown", "keyUp"):
                await self.do("Input.dispatchKeyEvent", type=kind, key=letter, text=letter)

    async def resize(self, width: int, height: int) -> None:
        await self.do(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for what the page is sent."""
        deadline = asyncio.get_running_loop().time() + DEADLINE
        while not condition():
            assert asyncio.get_running_loop().time() < deadline, (
                f"waited too long for {what}; last was {self.received[-400:]!r}; {self.problems}"
            )
            await asyncio.sleep(0.02)

    async def evaluate(self, script: str) -> Any:
        done = await self.do(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    async def picture(self) -> bytes:
        """What the page looks like, as PNG."""
        return base64.b64decode((await self.do("Page.captureScreenshot"))["data"])

    async def colours(self) -> int:
        """How many colours the page has; a blank one has one."""
        picture = base64.b64encode(await self.picture()).decode()
        count: int = await self.evaluate(_COLOURS % picture)
        return count

    async def _listen(self) -> None:
        async for message in self._connection:
            told = message.json()
            if "id" in told:
                self._answers[told["id"]].set_result(told.get("result", {"error": told}))
                continue
            match told["method"], told["params"]:
                case "Network.webSocketFrameReceived", {"response": {"opcode": 2, **frame}}:
                    self.received += base64.b64decode(frame["payloadData"]).decode(errors="replace")
                case "Network.requestWillBeSent", {"request": request}:
                    self.requested.append(request["url"])
                case "Network.webSocketCreated", {"url": url}:
                    self.requested.append(url)
                case "Log.entryAdded", {"entry": entry} if entry["level"] == "error":
                    self.problems.append(entry["text"])
                case "Runtime.exceptionThrown", {"exceptionDetails": details}:
                    self.problems.append(str(details))
                case _:
                    pass


@asynccontextmanager
async def open_page(browser: str, profile: Path) -> AsyncIterator[Page]:
    """A new browser with one empty page; both are gone afterwards."""
    process = await asyncio.create_subprocess_exec(
        browser,
        *FLAGS,
        f"--user-data-dir={profile}",
        "about:blank",
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        port = await asyncio.wait_for(_port(process), DEADLINE)
        async with aiohttp.ClientSession() as http:
            async with http.get(f"http://127.0.0.1:{port}/json") as answer:
                targets = await answer.json()
            page = next(each for each in targets if each["type"] == "page")
            connection = await http.ws_connect(
                page["webSocketDebuggerUrl"],
                max_msg_size=1 << 26,
                timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
            )
            yield Page(connection)
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _port(process: asyncio.subprocess.Process) -> int:
    """The port that the browser says it listens on."""
    assert process.stderr is not None
    while line := (await process.stderr.readline()).decode():
        if line.startswith("DevTools listening on"):
            return int(line.split(":")[2].split("/")[0])
    raise AssertionError("the browser ended before it listened")
