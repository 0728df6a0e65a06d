"""The labels of a project's installed sources: what is printed on each, page by page."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.errors import Refusal
from referral.ids import PublicNumber
from referral.models import Company, Referral
from referral.permissions import Viewer
from referral.queries.referrals import dealer_of_number
from warranty.models.sources import InstalledSource
from warranty.queries.sources import sources_seen_by
from warranty.states import IN_PLACE

LABELS = 120
"""Labels of one page: four sheets of thirty."""


@dataclass(frozen=True, slots=True)
class LabelFilter:
    """Which labels are printed: of one room (None: all), only of units with a serial number, after a number."""

    room: str | None = None
    only_serials: bool = False
    after: int = 0


@dataclass(frozen=True, slots=True)
class Label:
    """What stands on a label beside its code."""

    ref: str
    number: int
    model_number: str
    room: str
    serial: str
    quantity: int


@dataclass(frozen=True, slots=True)
class LabelSheet:
    """The labels of a project, at most LABELS of them, in order of number."""

    referral_ref: str
    project_name: str
    rooms: tuple[str, ...]
    labels: tuple[Label, ...]
    total: int
    """How many labels the filter leaves, on all pages."""
    after: int | None
    """Where the next page begins; None on the last."""


def label_sheet(tx: Session, *, viewer: Viewer, ref: str, asked: LabelFilter) -> LabelSheet:
    """Return the labels of what is in place in a project. Raises Refusal(not_found)."""
    dealer_id, number = dealer_of_number(tx, ref, "R")
    found = tx.execute(
        sa.select(Referral, Company.code)
        .join(Company, Company.id == Referral.dealer_id)
        .where(Referral.dealer_id == dealer_id, Referral.number == number)
    ).one_or_none()
    if found is None:
        raise Refusal("not_found")
    referral, code = found
    seen = sources_seen_by(viewer).where(
        InstalledSource.dealer_id == dealer_id,
        InstalledSource.referral_id == referral.id,
    )
    counts = tx.execute(
        sa.select(InstalledSource.room, sa.func.count())
        .where(InstalledSource.id.in_(seen.with_only_columns(InstalledSource.id)), *_printed(asked))
        .where(InstalledSource.dealer_id == dealer_id)
        .group_by(InstalledSource.room)
        .order_by(InstalledSource.room)
    ).all()
    if not counts and tx.scalars(seen.with_only_columns(InstalledSource.id).limit(1)).first() is None:
        raise Refusal("not_found")
    chosen = seen.where(*_printed(asked), InstalledSource.number > asked.after)
    if asked.room is not None:
        chosen = chosen.where(InstalledSource.room == asked.room)
    rows = tx.scalars(chosen.order_by(InstalledSource.number).limit(LABELS + 1)).all()
    shown = rows[:LABELS]
    return LabelSheet(
        referral_ref=ref,
        project_name=referral.project_name,
        rooms=tuple(room for room, _ in counts),
        labels=tuple(
            Label(
                str(PublicNumber("U", code, row.number)),
                row.number,
                row.model_number,
                row.room,
                row.serial,
                row.quantity,
            )
            for row in shown
        ),
        total=sum(count for room, count in counts if asked.room in {None, room}),
        after=shown[-1].number if len(rows) > LABELS else None,
    )


def _printed(asked: LabelFilter) -> list[sa.ColumnElement[bool]]:
    kept: list[sa.ColumnElement[bool]] = [InstalledSource.standing.in_(IN_PLACE)]
    if asked.only_serials:
        kept.append(InstalledSource.serial != "")
    return kept
