"""What upper floors put on the start page: what waits there for the viewer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sqlalchemy.orm import Session

from referral.permissions import Viewer


@dataclass(frozen=True)
class PanelRow:
    """A thing that waits: its number leads to `endpoint` with that number as `ref`."""

    ref: str
    endpoint: str
    what: str
    note: str


@dataclass(frozen=True)
class HomePanel:
    """A kind of things that wait, the first of them; `more_endpoint` lists them all."""

    title: str
    rows: tuple[PanelRow, ...]
    is_to_do: bool
    """Whether the viewer's company is to do something about them."""
    more_endpoint: str
    more_query: Mapping[str, str] = field(default_factory=dict)


class PanelProvider(Protocol):
    """A query of an upper floor; the roof names them."""

    def __call__(self, tx: Session, *, viewer: Viewer, at: datetime) -> tuple[HomePanel, ...]:
        """Return the viewer's panels, none that is empty; the number of statements does not grow."""
