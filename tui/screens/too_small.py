"""What is shown instead of a screen that has no room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.screen import ModalScreen
from textual.widgets import Static

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.geometry import Size

LEAST_WIDTH, LEAST_HEIGHT = 80, 24


def too_small(size: Size) -> bool:
    """Whether a terminal has no room for the screens."""
    return size.width < LEAST_WIDTH or size.height < LEAST_HEIGHT


class TooSmallScreen(ModalScreen[None]):
    """One sentence; goes away when there is room."""

    def compose(self) -> ComposeResult:
        """Build the sentence."""
        yield Static("", id="too-small", markup=False)

    def tell(self, size: Size) -> None:
        """Say how large the terminal is."""
        self.query_one("#too-small", Static).update(
            f"This terminal is {size.width}x{size.height}; "
            f"logitscope needs at least {LEAST_WIDTH}x{LEAST_HEIGHT}."
        )
