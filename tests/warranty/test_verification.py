"""Verification recomputes installed sources: whatever is changed behind the application's back is named."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from flask import current_app

from quotes.operations.replacements import order_replacement
from referral.db import read
from referral.ids import PublicNumber, new_id
from referral.models import AuditEvent
from tests.factories import AT, make_world
from tests.tampering import do
from tests.warranty.test_terms import TERMS
from warranty.models.sources import InstalledSource, SerialNumber, SourceEvent
from warranty.models.terms import WarrantyTerm
from warranty.operations.events import identify_source
from warranty.operations.jobs import read_terms
from warranty.operations.recording import refresh
from warranty.operations.splits import split_units
from warranty.operations.terms import set_term
from warranty.queries import verification
from warranty.queries.digests import event_columns, event_digest
from warranty.queries.verification import warranty_faults
from warranty.states import Lacking, SourceEventKind, Standing


class Scene:
    """An order that shipped: ten lights, of which two went back, one is named and one was replaced; terms."""

    def __init__(self, tx):
        self.tx, self.world = tx, make_world(tx)
        set_term(tx, actor=self.world.program, at=AT, said=TERMS)
        _, self.ref = self.world.order()
        self.world.ship(self.ref)
        self.dealer_id = self.world.dealer.company_id
        line_id = self.light.line_id
        self.world.take_back(self.ref, quantities={line_id: 2})
        (self.single,) = split_units(
            tx, source=self.light, quantities=[1], day=AT.date(), by=self.world.account.user_id, at=AT
        )
        identify_source(
            tx, actor=self.world.account, at=AT, ref=self.ref_of(self.single), event_count=None, serial="SN-1",
            happened_on=None,
        )  # fmt: skip
        order_replacement(
            tx, actor=self.world.account, at=AT, ref=self.ref, quantities={line_id: 1}, reason="Dark",
            failed_on=AT.date(), idempotency_key="replacement",
        )  # fmt: skip
        tx.flush()

    @property
    def light(self):
        """The group of lights."""
        return self.tx.scalars(
            sa.select(InstalledSource)
            .where(InstalledSource.model_number == "D3-LIGHT")
            .order_by(InstalledSource.number)
            .limit(1)
        ).one()

    def ref_of(self, source):
        """Return the public number of a source."""
        return str(PublicNumber("U", self.world.dealer.company_code, source.number))

    def faults(self):
        """Return what verification says."""
        self.tx.expire_all()
        return list(warranty_faults(self.tx))


@pytest.fixture
def scene(tx):
    return Scene(tx)


def test_sources_nobody_touched_recompute(scene):
    assert scene.faults() == []
    assert warranty_faults in current_app.extensions["ledger_checks"]


def test_sources_recompute_in_batches_of_any_size(scene, monkeypatch):
    monkeypatch.setattr(verification, "BATCH", 1)
    assert scene.faults() == []


def test_the_check_reads_only(scene):
    scene.tx.commit()
    assert read(lambda tx: list(warranty_faults(tx))) == []


def of_source(words="what is read off its events does not recompute", **values):
    """Change columns of the group."""
    return (
        lambda scene: do(
            scene.tx,
            sa.update(InstalledSource.__table__).where(InstalledSource.id == scene.light.id).values(values),
        ),
        words,
    )


def of_events(words, where, **values):
    """Change columns of the events that a condition finds."""
    return lambda scene: do(scene.tx, sa.update(SourceEvent.__table__).where(where).values(values)), words


def mended(words, change, where):
    """Change events, and compute digests and everything read off them anew: a perfect forgery of the table."""

    def tamper(scene):
        do(scene.tx)
        for event in scene.tx.scalars(sa.select(SourceEvent).where(where)).all():
            change(scene, event)
            event.digest = event_digest(event_columns(event))
        scene.tx.flush()
        ids = scene.tx.scalars(sa.select(InstalledSource.id)).all()
        refresh(scene.tx, dealer_id=scene.dealer_id, source_ids=ids)

    return tamper, words


def remove_last_event(scene):
    last = (
        sa.select(sa.func.max(SourceEvent.number))
        .where(SourceEvent.source_id == scene.single.id)
        .scalar_subquery()
    )
    do(
        scene.tx,
        sa.delete(SourceEvent.__table__).where(
            SourceEvent.source_id == scene.single.id, SourceEvent.number == last
        ),
    )


def move_serial(scene):
    do(scene.tx, sa.update(SerialNumber.__table__).values(source_id=scene.light.id))


def stray_serial(scene):
    do(
        scene.tx,
        sa.insert(SerialNumber.__table__).values(serial="X-1", dealer_id=scene.dealer_id, source_id=new_id()),
    )


def forget_group(scene):
    do(
        scene.tx,
        sa.update(InstalledSource.__table__)
        .where(InstalledSource.id == scene.single.id)
        .values(split_from_id=None),
    )


KIND = SourceEvent.kind
DIGEST, READ = "does not recompute to its digest", "what is read off its events does not recompute"
TAMPERINGS = {
    "day of an event": of_events(DIGEST, KIND == SourceEventKind.SHIPPED, happened_on=date(2026, 1, 1)),
    "person of an event": of_events(DIGEST, KIND == SourceEventKind.IDENTIFIED, recorded_by=None),
    "instant of an event": of_events(
        DIGEST, KIND == SourceEventKind.IDENTIFIED, recorded_at=AT - timedelta(1)
    ),
    "reason of an event": of_events(DIGEST, KIND == SourceEventKind.VOIDED, reason="Lost"),
    "last event removed": (remove_last_event, "its events are not numbered on"),
    "event numbered past a gap": of_events(
        "its events are not numbered on", KIND == SourceEventKind.IDENTIFIED, number=900
    ),
    "last day": of_source(ends_on=date(2099, 1, 1)),
    "what lacks": of_source(lacking=Lacking.TERMS, ends_on=None),
    "standing": of_source(standing=Standing.RETIRED),
    "quantity": of_source(quantity=9),
    "room": of_source(room="Hall"),
    "account that owes": (
        lambda scene: do(
            scene.tx,
            sa.update(InstalledSource.__table__).values(account_id=scene.world.program.company_id),
        ),
        "it is not what its order says",
    ),
    "family": of_source("it is not what its order says", family="L3I"),
    "order day": of_source("it is not what its order says", ordered_on=date(2020, 1, 1)),
    "serial number moved": (move_serial, "its serial number is not the one on record"),
    "serial number removed": (
        lambda scene: do(scene.tx, sa.delete(SerialNumber.__table__)),
        "its serial number is not the one on record",
    ),
    "serial number of nothing": (stray_serial, "serial number X-1: no installed source bears it"),
    "group forgotten": (forget_group, "events of a group it was never part of"),
    "inherited event changed and mended": mended(
        "the events of its group are not those it was part of",
        lambda _scene, event: setattr(event, "happened_on", date(2026, 1, 1)),
        sa.and_(SourceEvent.is_inherited, KIND == SourceEventKind.SHIPPED),
    ),
    "units of a split changed and mended": mended(
        "the units of its event",
        lambda _scene, event: setattr(event, "quantity", event.quantity + 1),
        sa.and_(KIND == SourceEventKind.SPLIT, SourceEvent.quantity == 1),
    ),
    "shipped units changed and mended": mended(
        "units, 12 of them in installed sources",
        lambda scene, event: setattr(
            event, "quantity", event.quantity + (event.source_id == scene.light.id) * 2
        ),
        sa.and_(KIND == SourceEventKind.SHIPPED, ~SourceEvent.is_inherited),
    ),
    "returned units not voided": (
        lambda scene: do(
            scene.tx,
            sa.update(InstalledSource.__table__)
            .where(InstalledSource.standing == Standing.VOIDED)
            .values(standing=Standing.SHIPPED),
        ),
        "2 units came back, 0 are voided",
    ),
    "sources of a replacement removed": (
        lambda scene: do(
            scene.tx,
            *(
                sa.delete(table.__table__).where(
                    key.in_(
                        sa.select(InstalledSource.id).where(InstalledSource.replacement_number.is_not(None))
                    )
                )
                for table, key in (
                    (SourceEvent, SourceEvent.source_id),
                    (InstalledSource, InstalledSource.id),
                )
            ),
        ),
        "replacement 1 of order",
    ),
    "months of terms": (
        lambda scene: do(scene.tx, sa.update(WarrantyTerm.__table__).values(months=12)),
        "are not what the audit trail tells",
    ),
    "folded family of terms": (
        lambda scene: do(scene.tx, sa.update(WarrantyTerm.__table__).values(family_key="l3i")),
        "are not what the audit trail tells",
    ),
    "terms removed": (
        lambda scene: do(scene.tx, sa.delete(WarrantyTerm.__table__)),
        "are not what the audit trail tells",
    ),
    "record of terms removed": (
        lambda scene: do(
            scene.tx, sa.delete(AuditEvent.__table__).where(AuditEvent.event == "warranty_term.set")
        ),
        "are not what the audit trail tells",
    ),
}


def test_every_tampering_is_named(scene):
    for what, (tamper, words) in TAMPERINGS.items():
        savepoint = scene.tx.begin_nested()
        tamper(scene)
        faults = scene.faults()
        assert any(words in fault for fault in faults), (what, faults)
        savepoint.rollback()
        scene.tx.expire_all()
    assert scene.faults() == []


def test_new_terms_that_the_worker_has_not_read_yet_are_no_fault_and_a_wrong_day_still_is(scene, tx):
    set_term(tx, actor=scene.world.program, at=AT, said=type(TERMS)(**(vars(TERMS) | {"months": 24})))
    assert scene.faults() == []
    of_source(ends_on=date(2099, 1, 1))[0](scene)
    assert any(READ in fault for fault in scene.faults())
    read_terms(tx, actor=None, at=AT, dealer_id=scene.dealer_id)
    read_terms(tx, actor=None, at=AT, dealer_id=scene.dealer_id)
    assert scene.faults() == [], "the worker wrote what the terms say"
