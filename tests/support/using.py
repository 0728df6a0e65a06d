"""Agreements with uses and top-ups, for the tests of quotas and entitlement."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from referral.ids import PublicNumber
from referral.models import Referral
from referral.queries.referrals import dealer_of_number
from support.models.agreements import Agreement
from support.operations.agreements_ending import terminate_agreement
from support.operations.systems import record_system
from support.operations.top_ups import top_up_agreement
from support.operations.uses import record_use
from support.queries.agreement_facts import agreement_facts
from support.queries.quota_verification import quota_faults
from support.rules.quotas import counted_grants, meter_of
from support.states import Platform
from tests.factories import AT, make_agreement, make_catalogue, make_world
from warranty.operations.sites import first_site

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from tests.factories import World

LATER = AT + timedelta(days=30)
_count = itertools.count(1)


@dataclass
class Using:
    """A world with a catalogue and one project whose site is known."""

    tx: Session
    world: World
    project: str

    @classmethod
    def made(cls, tx, world=None, before=None):
        """A world of this kind, its catalogue loaded on SINCE or on the day `before`."""
        world = world or make_world(tx)
        at = {} if before is None else {"at": datetime(before.year, before.month, before.day, tzinfo=UTC)}
        make_catalogue(tx, world.program, **at)
        project = world.refer()
        dealer_id, number = dealer_of_number(tx, project, "R")
        referral = tx.scalars(
            sa.select(Referral).where(Referral.dealer_id == dealer_id, Referral.number == number)
        ).one()
        first_site(tx, dealer_id=dealer_id, referral_id=referral.id, at=AT)
        return cls(tx, world, project)

    def agree(self, offer_key="gold", **overrides):
        """An accepted agreement for the project's site; returns its number."""
        said = {"offer_key": offer_key, "sites": [f"{self.project}/1"]} | overrides
        agreement = make_agreement(self.world, **said)
        return str(PublicNumber("A", self.world.dealer.company_code, agreement.number))

    def agreement(self, ref):
        """The agreement of that number, read anew."""
        self.tx.expire_all()
        dealer_id, number = dealer_of_number(self.tx, ref, "A")
        return self.tx.scalars(
            sa.select(Agreement).where(Agreement.dealer_id == dealer_id, Agreement.number == number)
        ).one()

    def connect(self, platform=Platform.QUANTUM, **overrides):
        """A system is at the site, connected with remote access."""
        said = {
            "actor": self.world.account,
            "at": LATER,
            "ref": self.project,
            "site_number": 1,
            "platform": platform,
            "since_on": AT.date(),
            "is_there": True,
            "has_remote_access": True,
            "words": "",
        }
        return record_system(self.tx, **(said | overrides))

    def said(self, ref, grant_key, asked, **overrides):
        """That so much of a grant was used on the day of LATER."""
        said = {
            "actor": self.world.program,
            "at": LATER,
            "ref": ref,
            "grant_key": grant_key,
            "used_on": LATER.date(),
            "asked": asked,
            "within": {},
            "site_ref": "",
            "words": "As agreed on the phone",
            "idempotency_key": f"use-{next(_count)}",
        }
        return said | overrides

    def row(self, ref, grant_key, asked, **overrides):
        """A use of a grant."""
        use = record_use(self.tx, **self.said(ref, grant_key, asked, **overrides))
        self.tx.flush()
        return use

    def use(self, ref, grant_key, asked, **overrides):
        """A use of a grant, as (amount, covered, billable)."""
        use = self.row(ref, grant_key, asked, **overrides)
        return use.amount, use.covered, use.billable

    def buying(self, ref, grant_key, **overrides):
        """That one more of a grant was bought for 900.00 and tax of 8.25 percent."""
        said = {
            "actor": self.world.program,
            "at": LATER,
            "ref": ref,
            "grant_key": grant_key,
            "contract_year": 1,
            "amount": 1,
            "bought_on": LATER.date(),
            "net_cents": 90_000,
            "tax_basis_points": 825,
            "words": "",
            "idempotency_key": f"bought-{next(_count)}",
        }
        return said | overrides

    def top_up(self, ref, grant_key, **overrides):
        """More of a grant is bought."""
        bought = top_up_agreement(self.tx, **self.buying(ref, grant_key, **overrides))
        self.tx.flush()
        return bought

    def terminate(self, ref, *, last_on, at=LATER):
        """The agreement ends on that day."""
        return terminate_agreement(
            self.tx, actor=self.world.dealer, at=at, ref=ref, last_on=last_on, reason="Sold the house"
        )

    def meter(self, ref, grant_key, year=1):
        """The meter of a grant in a contract year."""
        (facts,) = agreement_facts(self.tx, [self.agreement(ref)])
        grant = next(each for each in counted_grants(facts.offer, facts.choices) if each.key == grant_key)
        return meter_of(grant, year, facts.uses, facts.top_ups)

    def faults(self):
        """What verification finds."""
        self.tx.flush()
        return list(quota_faults(self.tx))
