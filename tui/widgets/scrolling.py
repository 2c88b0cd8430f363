"""The size of what a pane scrolls over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.widget import Widget

if TYPE_CHECKING:
    from textual.geometry import Size
    from textual.scroll_view import ScrollView


def set_content_size(view: ScrollView, size: Size) -> None:
    """Say how large a pane's content is, and draw it.

    Textual lays the whole screen out anew for this, which takes longer than drawing the pane; a
    pane whose own size doesn't follow its content needs no more than its scrollbars moved.
    """
    if size != view.virtual_size:
        if view.styles.auto_dimensions:
            view.virtual_size = size
        else:
            view.set_reactive(Widget.virtual_size, size)
            view._scroll_update(size)
    view.refresh()
