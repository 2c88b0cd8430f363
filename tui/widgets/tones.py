"""Styles from the stylesheet that are laid over a line's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.style import Style

if TYPE_CHECKING:
    from textual.widget import Widget


def tone(widget: Widget, component: str) -> Style:
    """What a component class itself sets, its colour mixed with what is beneath the widget.

    Textual's partial styles leave a transparent colour unmixed, so that muted text is not muted.
    """
    own = widget.get_component_rich_style(component, partial=True)
    if own.color is None:
        return own
    return own + Style(color=widget.get_component_rich_style(component).color)
