"""The runs of one sweep, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.planning import RunPlan
    from tui.events import RunEnded
    from tui.session import Session


class LabSweep:
    """Carries out a sweep's runs while the lab is open."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._waiting: list[RunPlan] = []
        self._runs: list[int] = []
        self.going = False

    def start(self, plans: list[RunPlan]) -> None:
        """Begin the first run.

        Raises:
            LogitscopeError: The database is read-only, or the model is busy.
        """
        self._session.start_run(plans[0])
        self._waiting, self._runs, self.going = plans[1:], [], True

    def ended(self, event: RunEnded) -> tuple[int, ...] | None:
        """Begin the next run where one has ended.

        Returns:
            The runs of the sweep once it is over, those that were cut short too; None while it
            goes on.

        Raises:
            LogitscopeError: The next run can't begin.
        """
        if event.run_id is not None:
            self._runs.append(event.run_id)
        if event.status == "finished" and self._waiting:
            self._session.start_run(self._waiting.pop(0))
            return None
        self.going = False
        return tuple(self._runs)
