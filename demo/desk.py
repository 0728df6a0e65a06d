"""What a builder of the story has at hand: a kept view of a list, and the files that lines came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from demo.stage import Stage
from quotes.operations.design_files import attach_design_file
from referral.operations.saved_views import save_view

FOLDER = Path(__file__).parent

Step = tuple[date, str | None, Callable[[datetime], None]]


class DeskSteps(Stage):
    """Design files and kept views; all of it is invented."""

    def desk_steps(self) -> list[Step]:
        """Return every kept view and design file, with its day."""
        said = self.story["desk"]
        steps: list[Step] = [(self.day_of(view), None, self._view(view)) for view in said["views"]]
        steps += [(self.day_of(file), file.get("at"), self._file(file)) for file in said["design_files"]]
        return steps

    def _view(self, said: Mapping[str, Any]) -> Callable[[datetime], None]:
        def step(at: datetime) -> None:
            save_view(
                self.tx,
                actor=self.actor(said["by"], at),
                at=at,
                list_name=said["list"],
                name=said["name"],
                query=said["query"],
            )

        return step

    def _file(self, said: Mapping[str, Any]) -> Callable[[datetime], None]:
        def step(at: datetime) -> None:
            attach_design_file(
                self.tx,
                actor=self.actor(said["by"], at),
                at=at,
                ref=self.quotes[said["referral"]],
                filename=said["file"],
                content=(FOLDER / said["file"]).read_bytes(),
            )

        return step
