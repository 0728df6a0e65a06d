"""Agreements on the start page: what waits to be priced or accepted, and what ends soon."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from quotes.queries.home_panels import HomePanel, PanelRow
from referral.permissions import CompanyKind, Permission, Viewer
from referral.queries.settings import today
from referral.text import say_day
from support.models.agreements import Agreement
from support.queries.agreements import AgreementRow, ending_within, found_by, rows_of
from support.states import AgreementState

HOME_ROWS = 8
"""Agreements of each kind on a start page."""
ENDING_DAYS = 60
"""Days ahead of which a start page says what ends."""


def agreement_panels(tx: Session, *, viewer: Viewer, at: datetime) -> tuple[HomePanel, ...]:
    """Return what waits of agreements: to be priced by the program, to be accepted by a dealer, ending soon."""
    panels: list[HomePanel | None] = []
    if viewer.may(Permission.AGREEMENT_OFFER):
        waits = Agreement.state == AgreementState.DRAFT
        panels.append(_panel(tx, viewer, at, "Agreements to price", waits, state=AgreementState.DRAFT))
    if viewer.acts_as(CompanyKind.DEALER):
        waits = Agreement.state == AgreementState.OFFERED
        title = "Agreements to accept" if viewer.may(Permission.AGREEMENT_ACCEPT) else "Agreements on offer"
        panels.append(_panel(tx, viewer, at, title, waits, state=AgreementState.OFFERED))
    if viewer.may(Permission.AGREEMENT_BUILD):
        ends = ending_within(ENDING_DAYS, today(tx, at))
        panels.append(_panel(tx, viewer, at, "Agreements that end soon", ends, _is_last()))
    return tuple(panel for panel in panels if panel is not None)


def _is_last() -> sa.ColumnElement[bool]:
    """Return the condition that no other agreement continues it."""
    other = aliased(Agreement)
    return ~sa.exists().where(
        other.dealer_id == Agreement.dealer_id,
        other.renews_id == Agreement.id,
        other.state != AgreementState.WITHDRAWN,
    )


def _panel(
    tx: Session,
    viewer: Viewer,
    at: datetime,
    title: str,
    *conditions: sa.ColumnElement[bool],
    state: AgreementState | None = None,
) -> HomePanel | None:
    """Return the first agreements that fit; None without any. Four statements, however many there are."""
    order = Agreement.id if state is not None else Agreement.last_on
    statement = found_by(viewer).where(*conditions).order_by(order, Agreement.id).limit(HOME_ROWS)
    rows = rows_of(tx, tx.execute(statement).all(), today(tx, at))
    if not rows:
        return None
    return HomePanel(
        title=title,
        rows=tuple(_row(row, is_ending=state is None) for row in rows),
        is_to_do=viewer.may(Permission.AGREEMENT_BUILD),
        more_endpoint="support.agreements",
        more_query={"within": str(ENDING_DAYS)} if state is None else {"state": state.value},
    )


def _row(row: AgreementRow, *, is_ending: bool) -> PanelRow:
    note = (
        f"ends {say_day(row.last_on)}: renew it"
        if is_ending
        else f"{row.sites_words} · from {say_day(row.starts_on)}"
    )
    return PanelRow(row.ref, "support.show_agreement", f"{row.offer_name} for {row.customer}", note)
