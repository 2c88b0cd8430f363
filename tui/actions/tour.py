"""The guided tour: how it is begun, and how one moves in it."""

from __future__ import annotations

from tui.actions.action import Action

# fmt: off
BEGIN_TOUR = (
    Action("app", "tour", "", "guided tour", "Be shown the screens, on what is stored here."),
    Action("help", "tour", "t", "tour", "Be shown the screens, on what is stored here.",
           footer=True, palette=False),
)

TOUR = (
    Action("tour", "next", "right,enter,space,n", "next", "Go to the next stop.",
           call="step(1)", footer=True, palette=False),
    Action("tour", "previous", "left,backspace,p", "back", "Go back to the stop before.",
           call="step(-1)", footer=True, palette=False),
    Action("tour", "close", "escape,q", "leave the tour", "Go back to where the tour began.",
           footer=True, palette=False),
)
