"""Make the pictures of the README from the recorded demo: ``make screenshots``."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from pathlib import Path

from engine.demo import demo_path, demo_ready
from engine.store import open_store
from tests.lab_driver import Bench
from tests.screen_help import settle, until
from tui.app import ExplorerApp
from tui.screens.sql import SqlScreen
from tui.screens.studies import StudyScreen
from tui.session import Session
from tui.widgets.result_grid import ResultGrid

PICTURES = Path(__file__).parent / "screenshots"
SIZE = (150, 42)

SHOWN = """
SELECT probe_id FROM listing
WHERE run_id = (SELECT max(run_id) FROM runs) AND order_index = 0
  AND format = 'low' AND mismatch AND text_label = gold AND majority = gold AND off_option_top
  AND probe_id IN (SELECT probe_id FROM probes WHERE len(labels) = 4)
ORDER BY sample_agreement DESC, margin DESC LIMIT 1
"""
"""A telling question: right in what it writes, wrong and sure of it in the first token."""


CUE = 'Answer:"""', 'Start with the letter of the answer."""'
"""What the prompt lab is shown to change."""

QUERY = """SELECT format, count(*) AS questions,
       avg(mismatch::INT) AS mismatch, avg(refusal::INT) AS refused,
       avg(option_mass) AS on_options, avg(entropy) AS entropy
FROM listing
WHERE order_index = 0
GROUP BY format
ORDER BY mismatch DESC"""
"""What the SQL screen is shown to answer."""


async def photograph(database: Path) -> None:
    """Walk through the explorer and save each screen."""
    session = Session(open_store(database), demo=True)
    app = ExplorerApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        found = session.store.reader().execute(SHOWN).fetchone()
        assert found is not None, "the demo holds no question worth a picture"
        assert session.listing is not None
        place = session.listing.place(found[0])
        app.screen.query_one(ResultGrid).cursor = place or 0
        await settle(pilot)
        app.save_screenshot("questions.svg", path=str(PICTURES))
        await pilot.press("enter")
        await settle(pilot)
        await pilot.press("d")
        await settle(pilot)
        app.save_screenshot("question.svg", path=str(PICTURES))
        await pilot.press("escape")
        lab = Bench(pilot)
        await lab.open()
        await lab.write(lab.editor.text.replace(*CUE))
        app.save_screenshot("lab.svg", path=str(PICTURES))
        await pilot.press("escape", "escape")  # The changed format is not saved.
        await settle(pilot)
        app.clear_notifications()
        await pilot.press("f4")
        await settle(pilot)
        screen = app.screen
        assert isinstance(screen, SqlScreen)
        screen.bring(QUERY)
        await pilot.press("f5")
        await settle(pilot)
        app.save_screenshot("sql.svg", path=str(PICTURES))
        await pilot.press("escape")
        await settle(pilot)
        await pilot.press("s")
        await settle(pilot)
        await pilot.press("1")
        await until(pilot, lambda: isinstance(app.screen, StudyScreen))
        await settle(pilot)
        app.save_screenshot("studies.svg", path=str(PICTURES))
    session.close()


def main() -> None:
    """Photograph a copy, so that the demo stays as it is."""
    if not demo_ready():
        sys.exit("The demo is not recorded yet: run logitscope once.")
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LOGITSCOPE_STATE"] = str(Path(folder) / "state")
        os.environ["LOGITSCOPE_CONFIG"] = os.devnull
        asyncio.run(photograph(Path(shutil.copy(demo_path(), folder))))


if __name__ == "__main__":
    main()
