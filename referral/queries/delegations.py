"""Rights to decide that approvers lent to colleagues: whose, to whom, until when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from referral.models import Delegation, User, UserRole
from referral.permissions import CompanyKind, Lending, Role, Viewer
from referral.queries.settings import today

DEALER_ROLES = tuple(role for role in Role if role.company_kind is CompanyKind.DEALER)


def has_role(*roles: Role) -> sa.Exists:
    """Return the condition that a user has one of the roles."""
    return sa.exists().where(UserRole.user_id == User.id, UserRole.role.in_(roles)).correlate(User)


def lending_of(tx: Session, *, dealer_id: UUID, user_id: UUID, at: datetime) -> Lending | None:
    """Return the right that is lent to a user of the dealer at an instant, else the one lent last, as over.

    A lending holds from its first through its last day in the program's zone, as long as who lent it is an
    active approver, and not once it was ended, whatever the instant: a request that came before the ending and is
    decided after it comes too late. Of several the one that ends last counts.
    """
    rows = tx.execute(
        sa.select(Delegation, User.name, sa.and_(User.is_active, has_role(Role.DEALER_APPROVER)))
        .join(User, User.id == Delegation.approver_id)
        .where(Delegation.dealer_id == dealer_id, Delegation.delegate_id == user_id)
        .order_by(Delegation.last_on.desc(), Delegation.id)
    ).all()
    if not rows:
        return None
    day = today(tx, at)
    begun = [
        Lending(
            approver_id=row.approver_id,
            approver_name=name,
            last_on=row.last_on,
            is_over=not may_lend or day > row.last_on or row.ended_at is not None,
        )
        for row, name, may_lend in rows
        if row.first_on <= day
    ]
    return next((lending for lending in begun if not lending.is_over), begun[0] if begun else None)


@dataclass(frozen=True)
class Delegate:
    """Who decides for an approver on a day."""

    user_id: UUID
    name: str
    email: str
    approver_name: str


def delegates_on(tx: Session, *, company_id: UUID, day: date) -> tuple[Delegate, ...]:
    """Return the active users of a dealer to whom an active approver lent the right for a day, by name.

    Each once, with the approver of the lending that ends last.
    """
    approver = aliased(User)
    rows = tx.execute(
        sa.select(User.id, User.name, User.email, approver.name)
        .join(Delegation, Delegation.delegate_id == User.id)
        .join(approver, approver.id == Delegation.approver_id)
        .where(
            Delegation.dealer_id == company_id,
            Delegation.first_on <= day,
            Delegation.last_on >= day,
            Delegation.ended_at.is_(None),
            User.is_active,
            approver.is_active,
            sa.exists().where(UserRole.user_id == approver.id, UserRole.role == Role.DEALER_APPROVER),
            ~has_role(Role.DEALER_APPROVER),
        )
        .order_by(User.name, User.id, Delegation.last_on.desc(), Delegation.id)
    )
    found: dict[UUID, Delegate] = {}
    for row in rows:
        found.setdefault(row[0], Delegate(*row))
    return tuple(found.values())


# the page ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PersonRow:
    """Somebody to choose."""

    user_id: UUID
    name: str


@dataclass(frozen=True)
class DelegationRow:
    """A lending as the page lists it."""

    delegation_id: UUID
    approver_name: str
    delegate_name: str
    lent_by: str
    first_on: date
    last_on: date
    state: str
    """coming, now, over or ended"""
    may_end: bool


@dataclass(frozen=True)
class DelegationsPage:
    """The lendings of a dealer, the newest first, and who may lend to whom."""

    rows: tuple[DelegationRow, ...]
    approvers: tuple[PersonRow, ...]
    """Whose right the viewer may lend: one's own; of an admin, every approver's."""
    delegates: tuple[PersonRow, ...]
    """To whom: active users of the dealer who have no such right of their own."""
    day: date


SHOWN = 200


def delegations_page(tx: Session, *, viewer: Viewer, at: datetime) -> DelegationsPage:
    """Return what was lent in the viewer's company, the last 200, and what the viewer may lend."""
    day = today(tx, at)
    approver, delegate, lender = aliased(User), aliased(User), aliased(User)
    rows = tx.execute(
        sa.select(Delegation, approver.name, delegate.name, lender.name)
        .join(approver, approver.id == Delegation.approver_id)
        .join(delegate, delegate.id == Delegation.delegate_id)
        .join(lender, lender.id == Delegation.lent_by)
        .where(Delegation.dealer_id == viewer.company_id)
        .order_by(Delegation.lent_at.desc(), Delegation.id.desc())
        .limit(SHOWN)
    ).all()
    return DelegationsPage(
        rows=tuple(
            DelegationRow(
                delegation_id=row.id,
                approver_name=approver_name,
                delegate_name=delegate_name,
                lent_by=lent_by,
                first_on=row.first_on,
                last_on=row.last_on,
                state=_state(row, day),
                may_end=_state(row, day) in {"coming", "now"} and may_lend_of(viewer, row.approver_id),
            )
            for row, approver_name, delegate_name, lent_by in rows
        ),
        approvers=tuple(
            person
            for person in _people(tx, viewer, has_role(Role.DEALER_APPROVER))
            if may_lend_of(viewer, person.user_id)
        ),
        delegates=tuple(
            person
            for person in _people(
                tx, viewer, sa.and_(has_role(*DEALER_ROLES), ~has_role(Role.DEALER_APPROVER))
            )
            if person.user_id != viewer.user_id
        ),
        day=day,
    )


def may_lend_of(viewer: Viewer, approver_id: UUID) -> bool:
    """Say whose right the viewer may lend: an approver one's own, the company's admin anyone's."""
    return Role.DEALER_ADMIN in viewer.roles or approver_id == viewer.user_id


def _state(row: Delegation, day: date) -> str:
    if row.ended_at is not None:
        return "ended"
    if day > row.last_on:
        return "over"
    return "coming" if day < row.first_on else "now"


def _people(tx: Session, viewer: Viewer, condition: sa.ColumnElement[bool]) -> Sequence[PersonRow]:
    rows = tx.execute(
        sa.select(User.id, User.name)
        .where(User.company_id == viewer.company_id, User.is_active, condition)
        .order_by(User.name, User.id)
    )
    return [PersonRow(row.id, row.name) for row in rows]
