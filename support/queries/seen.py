"""Agreements, visits and service calls as each side sees them."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.permissions import CompanyKind, Viewer
from referral.queries.referrals import dealer_of_number
from support.models.agreements import Agreement, AgreementSite
from support.models.calls import ServiceCall
from support.models.visits import ServiceVisit


def agreements_seen_by(viewer: Viewer) -> sa.Select[Agreement]:
    """Return the agreements the viewer may see: of the dealer, for sites of the account's projects, or all."""
    statement = sa.select(Agreement)
    if viewer.acts_as(CompanyKind.PROGRAM):
        return statement
    sides: list[sa.ColumnElement[bool]] = []
    if viewer.acts_as(CompanyKind.DEALER):
        sides.append(Agreement.dealer_id == viewer.company_id)
    if viewer.acts_as(CompanyKind.ACCOUNT):
        sides.append(
            sa.exists().where(
                AgreementSite.dealer_id == Agreement.dealer_id,
                AgreementSite.agreement_id == Agreement.id,
                AgreementSite.account_id == viewer.company_id,
            )
        )
    return statement.where(sa.or_(sa.false(), *sides))


def visits_seen_by(viewer: Viewer) -> sa.Select[ServiceVisit]:
    """Return the visits the viewer may see: of the dealer, at sites of the account's projects, or all."""
    statement = sa.select(ServiceVisit)
    if viewer.acts_as(CompanyKind.PROGRAM):
        return statement
    sides: list[sa.ColumnElement[bool]] = []
    if viewer.acts_as(CompanyKind.DEALER):
        sides.append(ServiceVisit.dealer_id == viewer.company_id)
    if viewer.acts_as(CompanyKind.ACCOUNT):
        sides.append(ServiceVisit.account_id == viewer.company_id)
    return statement.where(sa.or_(sa.false(), *sides))


def calls_seen_by(viewer: Viewer) -> sa.Select[ServiceCall]:
    """Return the service calls the viewer may see: of the dealer, at sites of the account's projects, or all."""
    statement = sa.select(ServiceCall)
    if viewer.acts_as(CompanyKind.PROGRAM):
        return statement
    sides: list[sa.ColumnElement[bool]] = []
    if viewer.acts_as(CompanyKind.DEALER):
        sides.append(ServiceCall.dealer_id == viewer.company_id)
    if viewer.acts_as(CompanyKind.ACCOUNT):
        sides.append(ServiceCall.account_id == viewer.company_id)
    return statement.where(sa.or_(sa.false(), *sides))


def agreement_by_ref(tx: Session, viewer: Viewer, ref: str) -> sa.Select[Agreement]:
    """Return the statement for one visible agreement, for reads and locks alike. Raises Refusal(not_found)."""
    dealer_id, number = dealer_of_number(tx, ref, "A")
    return agreements_seen_by(viewer).where(Agreement.dealer_id == dealer_id, Agreement.number == number)


def visit_by_ref(tx: Session, viewer: Viewer, ref: str) -> sa.Select[ServiceVisit]:
    """Return the statement for one visible visit, for reads and locks alike. Raises Refusal(not_found)."""
    dealer_id, number = dealer_of_number(tx, ref, "V")
    return visits_seen_by(viewer).where(ServiceVisit.dealer_id == dealer_id, ServiceVisit.number == number)


def call_by_ref(tx: Session, viewer: Viewer, ref: str) -> sa.Select[ServiceCall]:
    """Return the statement for one visible service call, for reads and locks alike. Raises Refusal(not_found)."""
    dealer_id, number = dealer_of_number(tx, ref, "S")
    return calls_seen_by(viewer).where(ServiceCall.dealer_id == dealer_id, ServiceCall.number == number)
