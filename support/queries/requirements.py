"""The requirements of an agreement: what the customer sees to, and what the program confirms as available."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.models import User
from referral.permissions import Permission, Viewer
from support.models.agreements import Agreement, RequirementMark
from support.queries.agreement_facts import offers_by_id
from support.rules.entitlement import CONFIRMED, Mark, is_met
from support.rules.offers import Choices, Offer, Requirement, granted


@dataclass(frozen=True, slots=True)
class RequirementRow:
    """A requirement with how it stands."""

    key: str
    name: str
    is_ground_to_decline: bool
    """Unmet it is a reason to decline a call, not only to pause it."""
    is_confirmation: bool
    """The program confirms that a grant is available at the sites."""
    is_met: bool
    is_marked: bool
    """Whether anybody said how it stands."""
    since_on: date | None
    words: str
    marked_by: str
    marked_at: datetime | None
    may_mark: bool


def requirements_in(offer: Offer, choices: Choices) -> tuple[Requirement, ...]:
    """Return the requirements of an offer as chosen, with the confirmations that its grants need."""
    confirmations = (
        Requirement(CONFIRMED + grant.key, f"{grant.name}: confirmed as available at the sites", False)
        for grant in granted(offer, choices)
        if grant.needs_confirmation
    )
    return (*offer.requirements, *confirmations)


def requirements_of(tx: Session, agreement: Agreement) -> tuple[Requirement, ...]:
    """Return the requirements of an agreement, with the confirmations that its grants need."""
    offer = offers_by_id(tx, {agreement.offer_id})[agreement.offer_id]
    return requirements_in(offer, json.loads(agreement.choices))


def requirement_rows(
    tx: Session, viewer: Viewer, agreement: Agreement, requirements: Iterable[Requirement], day: date
) -> tuple[RequirementRow, ...]:
    """Return the checklist of an agreement as it stands on a day."""
    marks = tx.execute(
        sa.select(RequirementMark, User.name)
        .join(User, User.id == RequirementMark.marked_by)
        .where(
            RequirementMark.dealer_id == agreement.dealer_id,
            RequirementMark.agreement_id == agreement.id,
        )
        .order_by(RequirementMark.number)
    ).all()
    read = [Mark(row.number, row.requirement_key, row.is_met, row.since_on) for row, _ in marks]
    rows = []
    for requirement in requirements:
        is_confirmation = requirement.key.startswith(CONFIRMED)
        said = [(row, name) for row, name in marks if row.requirement_key == requirement.key]
        holding = max(
            (each for each in said if each[0].since_on <= day),
            key=lambda each: (each[0].since_on, each[0].number),
            default=None,
        )
        row, name = holding if holding is not None else (None, "")
        rows.append(
            RequirementRow(
                key=requirement.key,
                name=requirement.name,
                is_ground_to_decline=requirement.is_ground_to_decline,
                is_confirmation=is_confirmation,
                is_met=is_met(read, requirement.key, day),
                is_marked=row is not None,
                since_on=None if row is None else row.since_on,
                words="" if row is None else row.words,
                marked_by=name,
                marked_at=None if row is None else row.marked_at,
                may_mark=viewer.may(
                    Permission.AGREEMENT_OFFER if is_confirmation else Permission.AGREEMENT_BUILD
                ),
            )
        )
    return tuple(rows)
