"""What a dealer's year may come to: posted, then what is approved, then what waits; each with its level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy.orm import Session

from ledger.queries.levels import CreditYear, credit_year
from ledger.queries.statements import dealer_seen_by
from ledger.rules.credit import Standing, standing
from referral.permissions import Viewer
from referral.queries.settings import setting_on, today


@dataclass(frozen=True)
class Prospect:
    """Credit that is not posted yet: its sum in cents, from how many quotes, and the first day one lapses after."""

    credit_cents: int = 0
    quotes: int = 0
    valid_until: date | None = None


@dataclass(frozen=True)
class Outlook:
    """The credit a dealer may still get: approved and not ordered, and what waiting revisions would add."""

    committed: Prospect = field(default_factory=Prospect)
    forecast: Prospect = field(default_factory=Prospect)


class OutlookSource(Protocol):
    """Who knows the outlook of dealers; the roof says who that is."""

    def __call__(self, tx: Session, *, day: date, dealer_ids: Sequence[UUID]) -> Mapping[UUID, Outlook]:
        """Return the outlook on a day, of these dealers; one without any may be missing."""


@dataclass(frozen=True)
class Stage:
    """One step of a projection: what it adds, the total it makes with those before, and the level of that."""

    name: str
    added_cents: int
    total_cents: int
    standing: Standing
    quotes: int
    valid_until: date | None
    """The last day of the quote that lapses first; None for what is posted."""
    days_left: int
    """Days after today until it lapses; for what is posted, until the year ends."""


@dataclass(frozen=True)
class Projection:
    """A dealer's present year as it stands and as it may become."""

    dealer_code: str
    dealer_name: str
    currency: str
    year: CreditYear
    today: date
    stages: tuple[Stage, ...]

    @property
    def days_left(self) -> int:
        """Days after today that still count toward the year's total; 0 when it is over."""
        return max((self.year.last_day - self.today).days, 0)

    @property
    def has_prospects(self) -> bool:
        """Whether anything but the posted credit is in it."""
        return any(stage.quotes for stage in self.stages)


def project(year: CreditYear, outlook: Outlook, day: date) -> tuple[Stage, ...]:
    """Return posted, committed and forecast, each with what it adds to the one before."""
    year_left = max((year.last_day - day).days, 0)
    stages = [Stage("posted", year.total_cents, year.total_cents, year.standing, 0, None, year_left)]
    for name, prospect in (("committed", outlook.committed), ("forecast", outlook.forecast)):
        total = stages[-1].total_cents + prospect.credit_cents
        until = prospect.valid_until
        stages.append(
            Stage(
                name=name,
                added_cents=prospect.credit_cents,
                total_cents=total,
                standing=standing(total, year.levels),
                quotes=prospect.quotes,
                valid_until=until,
                days_left=year_left if until is None else min(year_left, (until - day).days),
            )
        )
    return tuple(stages)


def projection(
    tx: Session,
    *,
    viewer: Viewer,
    at: datetime,
    dealer_code: str,
    program_year: int,
    outlook: OutlookSource,
) -> Projection:
    """Return the projection of a dealer's program year. Raises Refusal(not_found) for another's dealer.

    What is not ordered yet counts in the present year alone: an order counts in the year it is entered in.
    """
    dealer = dealer_seen_by(tx, viewer, dealer_code)
    day = today(tx, at)
    found = outlook(tx, day=day, dealer_ids=[dealer.id]) if program_year == day.year else {}
    year = credit_year(tx, dealer_id=dealer.id, program_year=program_year)
    return Projection(
        dealer_code=dealer.code,
        dealer_name=dealer.name,
        currency=str(setting_on(tx, "currency", date(program_year, 1, 1))),
        year=year,
        today=day,
        stages=project(year, found.get(dealer.id, Outlook()), day),
    )
