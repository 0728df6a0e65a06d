"""A project whose sources have shipped, for the tests of what is recorded of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from quotes.operations.quotes import start_quote
from quotes.operations.replacements import order_replacement
from referral.ids import PublicNumber
from tests.factories import AT, make_world
from warranty.models.sources import InstalledSource, SourceEvent
from warranty.operations.events import record_source_event
from warranty.operations.splits import split_source
from warranty.states import SourceEventKind

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from tests.factories import World

LATER = AT + timedelta(days=30)
SHIPPED = AT.date()
Kind = SourceEventKind


@dataclass
class Ground:
    """A project whose ten lights and ten trims have shipped."""

    tx: Session
    world: World
    order_ref: str
    project: str

    @property
    def actor(self):
        """The account's builder."""
        return self.world.account

    def ref(self, model="D3-LIGHT", place=0):
        """The number of a source of that model, the group itself first."""
        rows = [row for row in self.all() if row.model_number == model]
        return self.ref_of(rows[place])

    def ref_of(self, source):
        """The number of a source."""
        return str(PublicNumber("U", self.world.dealer.company_code, source.number))

    def source(self, ref):
        """The source of that number, read anew."""
        self.tx.expire_all()
        number = int(ref.rpartition("-")[2])
        return self.tx.scalars(
            sa.select(InstalledSource).where(
                InstalledSource.dealer_id == self.world.dealer.company_id, InstalledSource.number == number
            )
        ).one()

    def all(self):
        """All sources of the dealer, read anew."""
        self.tx.expire_all()
        return list(
            self.tx.scalars(
                sa.select(InstalledSource)
                .where(InstalledSource.dealer_id == self.world.dealer.company_id)
                .order_by(InstalledSource.number)
            )
        )

    def events(self, ref):
        """The events of a source."""
        source = self.source(ref)
        return list(
            self.tx.scalars(
                sa.select(SourceEvent).where(SourceEvent.source_id == source.id).order_by(SourceEvent.number)
            )
        )

    def said(self, ref="", **overrides):
        """That it was delivered three days after it shipped."""
        said = {
            "actor": self.actor,
            "at": LATER,
            "ref": ref or self.ref(),
            "event_count": None,
            "kind": Kind.DELIVERED,
            "happened_on": SHIPPED + timedelta(days=3),
            "site_number": None,
            "room": "",
            "reason": "",
        }
        return said | overrides

    def record(self, ref="", **overrides):
        """It happened."""
        return record_source_event(self.tx, **self.said(ref, **overrides))

    def naming(self, ref, serial="SN-1", **overrides):
        """That it bears a serial number."""
        said = {"actor": self.actor, "at": LATER, "ref": ref, "event_count": None, "serial": serial}
        return said | {"happened_on": None} | overrides

    def one(self, **overrides):
        """One light taken out of its group; returns its number."""
        said = {"actor": self.actor, "at": LATER, "ref": self.ref(), "event_count": None}
        return self.ref_of(split_source(self.tx, **(said | {"quantity": 1, "room": ""} | overrides)))

    def replacement(self, quantity=1):
        """Lights sent anew under warranty; returns the number of the source they are."""
        line_id = self.source(self.ref()).line_id
        before = {row.id for row in self.all()}
        order_replacement(
            self.tx,
            actor=self.actor,
            at=LATER,
            ref=self.order_ref,
            quantities={line_id: quantity},
            reason="Failed",
            failed_on=None,
            idempotency_key=f"r{len(before)}",
        )
        (new,) = (row for row in self.all() if row.id not in before)
        return self.ref_of(new)

    def swap(self, ref, new_ref, **overrides):
        """That one took the place of the other."""
        said = {"actor": self.actor, "at": LATER, "ref": ref, "new_ref": new_ref, "reason": "Failed"}
        return said | {"happened_on": LATER.date()} | overrides


def make_ground(tx, world=None):
    world = world or make_world(tx)
    project = world.refer()
    from_quote = start(world, project)
    _, order_ref = world.order(world.approve(from_quote))
    world.ship(order_ref)
    return Ground(tx, world, order_ref, project)


def start(world, project):
    """A submitted quote of the project."""
    _, ref = start_quote(world.tx, actor=world.account, at=AT, referral_ref=project)
    world.save(ref)
    return world.submit(ref)
