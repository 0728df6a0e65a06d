"""Service calls on the start page: what the desk does next, and a dealer's open calls."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.queries.home_panels import HomePanel, PanelRow
from referral.permissions import CompanyKind, Permission, Viewer
from support.models.calls import ServiceCall
from support.queries.calls import CallRow, by_due, call_row, found_calls
from support.queries.seen import calls_seen_by
from support.rules.call_words import STATE_WORDS

HOME_ROWS = 8
"""Calls of each kind on a start page."""


def call_panels(tx: Session, *, viewer: Viewer, at: datetime) -> tuple[HomePanel, ...]:
    """Return the calls that the viewer's desk works on by what is due next, and those of a dealer's sites."""
    panels: list[HomePanel | None] = []
    if viewer.may(Permission.CALL_WORK):
        mine = ServiceCall.handler_id == viewer.company_id
        panels.append(_panel(tx, viewer, at, "Service calls due next", mine, is_to_do=True))
    if viewer.acts_as(CompanyKind.DEALER):
        own = ServiceCall.dealer_id == viewer.company_id
        panels.append(_panel(tx, viewer, at, "Your open service calls", own, is_to_do=False))
    return tuple(panel for panel in panels if panel is not None)


def _panel(
    tx: Session, viewer: Viewer, at: datetime, title: str, whose: sa.ColumnElement[bool], *, is_to_do: bool
) -> HomePanel | None:
    """Return the first open calls by what is due next; None without any. One statement."""
    found = found_calls(
        tx,
        calls_seen_by(viewer)
        .where(whose, ServiceCall.waits_until.is_not(None))
        .order_by(*by_due(ServiceCall))
        .limit(HOME_ROWS),
        by_due,
    )
    if not found:
        return None
    rows = tuple(_row(call_row(each), at) for each in found)
    return HomePanel(title=title, rows=rows, is_to_do=is_to_do, more_endpoint="support.calls")


def _row(row: CallRow, at: datetime) -> PanelRow:
    if row.is_paging:
        said = "page now"
    elif row.due_at is not None:
        said = f"{row.due_name}: {row.left(at)}"
    else:
        said = "nothing due by an instant"
    state = "" if row.due_at is not None else f"{STATE_WORDS[row.state].lower()} · "
    return PanelRow(row.ref, "support.show_call", row.problem[:80], f"{row.place} · {state}{said}")
