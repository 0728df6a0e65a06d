"""Installed sources as each side sees them."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.permissions import CompanyKind, Viewer
from referral.queries.referrals import dealer_of_number
from warranty.models.sources import InstalledSource


def sources_seen_by(viewer: Viewer) -> sa.Select[InstalledSource]:
    """Return the sources the viewer may see: of the dealer's projects, of the account's orders, or all.

    An account sees what it sold also after its qualification ended, and after a project went to another.
    """
    statement = sa.select(InstalledSource)
    if viewer.acts_as(CompanyKind.PROGRAM):
        return statement
    sides: list[sa.ColumnElement[bool]] = []
    if viewer.acts_as(CompanyKind.DEALER):
        sides.append(InstalledSource.dealer_id == viewer.company_id)
    if viewer.acts_as(CompanyKind.ACCOUNT):
        sides.append(InstalledSource.account_id == viewer.company_id)
    return statement.where(sa.or_(sa.false(), *sides))


def source_by_ref(tx: Session, viewer: Viewer, ref: str) -> sa.Select[InstalledSource]:
    """Return the statement for one visible source, for reads and locks alike. Raises Refusal(not_found)."""
    dealer_id, number = dealer_of_number(tx, ref, "U")
    return sources_seen_by(viewer).where(
        InstalledSource.dealer_id == dealer_id, InstalledSource.number == number
    )
