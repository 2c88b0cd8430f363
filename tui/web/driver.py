"""How an explorer that a browser shows is driven: its input and output are those of the server."""

from __future__ import annotations

from contextlib import suppress

from textual import messages
from textual.drivers.web_driver import WebDriver


class ServedDriver(WebDriver):
    """Ends the explorer when the server that it writes to is gone, however that ended."""

    def run_input_thread(self) -> None:
        """Read until there is nothing to read from any more."""
        super().run_input_thread()
        if not self.exit_event.is_set():
            self._app.post_message(messages.ExitApp())

    def write(self, data: str) -> None:
        """Write where somebody still reads."""
        with suppress(BrokenPipeError):
            super().write(data)

    def write_meta(self, data: dict[str, object]) -> None:
        """Tell the server, where it is still there."""
        with suppress(BrokenPipeError):
            super().write_meta(data)
