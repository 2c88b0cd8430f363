"""A program in a pseudo-terminal of its own, and a clock on what it writes."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

import psutil

_QUIET = 0.05
"""Seconds without output after which an answer is over."""
_PATIENCE = 120.0
"""Seconds that something on the screen is waited for."""
_DEAF = 30.0
"""Seconds after which a key has had no answer."""

KEYS = {
    "up": b"\x1b[A",
    "down": b"\x1b[B",
    "right": b"\x1b[C",
    "left": b"\x1b[D",
    "enter": b"\r",
    "escape": b"\x1b",
    "tab": b"\t",
    "ctrl+u": b"\x15",
    "home": b"\x1b[H",
    "end": b"\x1b[F",
    "pagedown": b"\x1b[6~",
    "f6": b"\x1b[17~",
    "f8": b"\x1b[19~",
    "slash": b"/",
    "full_stop": b".",
}
"""What a terminal sends for the keys that are no character."""


class Answer(NamedTuple):
    """Seconds from a key until the first byte of the answer, and until its last."""

    first: float
    last: float


class Terminal:
    """Starts a program in a terminal.

    Args:
        command: The program and its arguments.
        environment: Its environment, whole.
        columns: Width.
        rows: Height.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        columns: int = 140,
        rows: int = 45,
    ) -> None:
        self._unread = b""
        self._screen, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._started = time.perf_counter()
        self._process = subprocess.Popen(
            command,
            stdin=inside,
            stdout=inside,
            stderr=inside,
            env=environment,
            start_new_session=True,
        )
        self._usage = psutil.Process(self._process.pid)
        os.close(inside)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def age(self) -> float:
        """Seconds since the program was started."""
        return time.perf_counter() - self._started

    @property
    def processor_time(self) -> float:
        """Seconds of processor time that the program has used so far, without its children."""
        times = self._usage.cpu_times()
        return times.user + times.system

    @property
    def memory(self) -> int:
        """Bytes of memory that the program takes, without its children."""
        return int(self._usage.memory_info().rss)

    def children(self) -> list[psutil.Process]:
        """The processes that the program has started."""
        return self._usage.children()

    def kill(self, signal: int) -> None:
        """Send the program a signal and wait until it has ended."""
        self._process.send_signal(signal)
        self._process.wait()

    def wait_for(self, pattern: str, patience: float = _PATIENCE) -> str:
        """Wait until the program writes something; each text is found once.

        Args:
            pattern: A regular expression.
            patience: Seconds.

        Returns:
            Its first group, or all of it.

        Raises:
            TimeoutError: It does not, or has ended.
        """
        limit = time.perf_counter() + patience
        while (found := re.search(pattern.encode(), self._unread)) is None:
            if not self._read(max(0.0, limit - time.perf_counter())):
                raise TimeoutError(f"no {pattern!r} on the screen; last: {self._unread[-2000:]!r}")
        self._unread = self._unread[found.end() :]
        return found[found.re.groups and 1].decode()

    def press(self, key: str) -> Answer:
        """Press a key and wait until the program has answered.

        What was written before is forgotten: :meth:`wait_for` goes on from the key.

        Args:
            key: A name in :data:`KEYS`, or a character.

        Raises:
            TimeoutError: It says nothing.
        """
        self.settle()
        self._unread = b""
        pressed = time.perf_counter()
        os.write(self._screen, KEYS.get(key) or key.encode())
        if not self._read(_DEAF):
            raise TimeoutError(f"{key} has no answer")
        first = last = time.perf_counter()
        while self._read(_QUIET) and last - pressed < _DEAF:
            last = time.perf_counter()
        return Answer(first - pressed, last - pressed)

    def type(self, text: str) -> None:
        """Write characters, or a key of :data:`KEYS`, without waiting for an answer."""
        os.write(self._screen, KEYS.get(text) or text.encode())

    def settle(self) -> None:
        """Wait until nothing is written, for a second at most."""
        limit = time.perf_counter() + 1
        while self._read(_QUIET) and time.perf_counter() < limit:
            pass

    def read(self) -> None:
        """Read what is written already: a program whose screen nobody reads has to wait."""
        self._read(0)

    def close(self) -> None:
        """End the program."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._screen)

    def _read(self, patience: float) -> bytes:
        """What is written next; empty where nothing is in time or the program has ended."""
        if not select.select([self._screen], [], [], patience)[0]:
            return b""
        try:
            read = os.read(self._screen, 1 << 16)
        except OSError:  # Linux says so once the other side is closed.
            return b""
        self._unread += read
        return read
