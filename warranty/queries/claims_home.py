"""Warranty claims on the start page: what the account decides and fulfils, what became of the dealer's."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.queries.home_panels import HomePanel, PanelRow
from referral.permissions import CompanyKind, Viewer
from referral.text import say_day
from warranty.models.claims import Claim
from warranty.queries.claims import CLAIM_STATE_WORDS, ClaimRow, found_by, row_of
from warranty.states import LIVE_CLAIM_STATES, ClaimState

HOME_ROWS = 8
"""Claims of each kind on a start page."""


def claim_panels(tx: Session, *, viewer: Viewer, at: datetime) -> tuple[HomePanel, ...]:  # noqa: ARG001 - as every panel
    """Return what waits of warranty claims: to decide and to fulfil for an account, its own for a dealer."""
    panels: list[HomePanel | None] = []
    if viewer.acts_as(CompanyKind.ACCOUNT):
        mine = Claim.account_id == viewer.company_id
        for state, title in (
            (ClaimState.OPEN, "Warranty claims to decide"),
            (ClaimState.ACCEPTED, "Warranty claims to fulfil"),
        ):
            panels.append(_panel(tx, viewer, title, mine, Claim.state == state, state=state))
    if viewer.acts_as(CompanyKind.DEALER):
        live = Claim.state.in_(LIVE_CLAIM_STATES)
        panels.append(_panel(tx, viewer, "Your warranty claims", Claim.dealer_id == viewer.company_id, live))
    return tuple(panel for panel in panels if panel is not None)


def _panel(
    tx: Session,
    viewer: Viewer,
    title: str,
    *conditions: sa.ColumnElement[bool],
    state: ClaimState | None = None,
) -> HomePanel | None:
    """Return the oldest claims that fit; None without any. One statement."""
    statement = found_by(viewer).where(*conditions).order_by(Claim.id).limit(HOME_ROWS)
    rows = tuple(row_of(found) for found in tx.execute(statement))
    if not rows:
        return None
    return HomePanel(
        title=title,
        rows=tuple(_row(row, is_state_said=state is None) for row in rows),
        is_to_do=state is not None,
        more_endpoint="warranty.claims",
        more_query={} if state is None else {"state": state.value},
    )


def _row(row: ClaimRow, *, is_state_said: bool) -> PanelRow:
    units = f"{row.quantity:,} × {row.model_number}"
    words = [row.project_name, f"reported {say_day(row.reported_on)}"]
    if is_state_said:
        words.append(CLAIM_STATE_WORDS[row.state].lower())
    return PanelRow(row.ref, "warranty.show_claim", f"{units}: {row.problem}", " · ".join(words))
