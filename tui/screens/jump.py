"""Jump mode: a letter on every part of the screen, over the screen as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.screen import ModalScreen
from textual.widgets import Label

from tui.actions import bindings
from tui.widgets.key_line import KeyLine

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult

    from tui.jump import Target


class JumpScreen(ModalScreen[None]):
    """Letters; the one that is pressed or clicked is gone to."""

    ACTION_SCOPE: ClassVar[str] = "jump"
    BINDINGS: ClassVar = bindings("jump")

    def __init__(self, targets: dict[str, Target]) -> None:
        """Offer places by their letters."""
        super().__init__()
        self._targets = targets

    def compose(self) -> ComposeResult:
        """A letter at each place."""
        for letter, target in self._targets.items():
            text = letter.center(target.cells)
            label = Label(text, classes="jump--letter", name=letter, markup=False)
            label.styles.offset = target.offset
            yield label
        yield KeyLine()

    def on_key(self, event: events.Key) -> None:
        """Go where a letter leads."""
        target = self._targets.get(event.character or "")
        if target is not None:
            event.stop()
            self._go(target)

    def on_click(self, event: events.Click) -> None:
        """Go to the letter that was clicked; anywhere else, stay."""
        clicked, _ = self.get_widget_at(event.screen_x, event.screen_y)
        target = self._targets.get(clicked.name or "")
        if target is not None:
            self._go(target)
        elif not isinstance(clicked, KeyLine):
            self.dismiss()

    def _go(self, target: Target) -> None:
        self.dismiss()
        self.app.call_after_refresh(target.go)

    def action_close(self) -> None:
        """Stay where the focus was."""
        self.dismiss()
