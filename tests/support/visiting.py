"""A world with agreements whose visits are planned, for the tests of visits."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import sqlalchemy as sa

from referral.ids import PublicNumber
from referral.models import OutgoingMail
from support.models.agreements import AgreementSite
from support.models.visits import ServiceVisit
from support.operations.visits import plan_visit
from support.operations.visits_changing import cancel_visit, move_visit
from support.operations.visits_ending import convert_visit, sign_off_visit
from tests.factories import AT, make_agreement, make_catalogue, make_world
from warranty.operations.sites import add_site

MONDAY = date(2026, 5, 11)
"""The day of visits in these tests unless they say otherwise; agreements start on 4 May 2026."""


class Visiting:
    """A dealer's agreement with the world around it. Visits are of Gold, two a contract year."""

    def __init__(self, tx, world=None, **overrides):
        self.tx = tx
        self.world = world or make_world(tx)
        if world is None:
            make_catalogue(tx, self.world.program)
        self.agreement = make_agreement(self.world, **overrides)
        self.ref = self.ref_of("A", self.agreement)

    def ref_of(self, kind, row):
        """The public number of an agreement or a visit."""
        return str(PublicNumber(kind, self.world.dealer.company_code, row.number))

    @property
    def site_id(self):
        """The agreement's first site."""
        return self.tx.scalars(
            sa.select(AgreementSite.site_id)
            .where(AgreementSite.agreement_id == self.agreement.id)
            .order_by(AgreementSite.site_id)
        ).first()

    def date(self, **overrides):
        """When and where a visit is."""
        said = {
            "site_id": self.site_id, "day": MONDAY, "starts": time(9), "ends": time(12),
            "purposes": ["Preventive maintenance"], "words": "",
        }  # fmt: skip
        return said | overrides

    def planning(self, **overrides):
        """What plans a visit."""
        said = {
            "actor": self.world.dealer, "at": AT, "ref": self.ref, "grant_key": "visits",
            "contract_year": None, "slot": None, "idempotency_key": "visit-1",
        }  # fmt: skip
        return self.date() | said | overrides

    def plan(self, **overrides):
        """A visit that is planned; returns its number."""
        visit = plan_visit(self.tx, **self.planning(**overrides))
        self.tx.flush()
        return self.ref_of("V", visit)

    def moving(self, ref, **overrides):
        """What moves a visit to the day after."""
        said = {"actor": self.world.account, "at": AT + timedelta(hours=1), "ref": ref, "sequence": 0}
        return self.date(day=MONDAY + timedelta(days=1)) | said | overrides

    def move(self, ref, **overrides):
        """The visit is moved."""
        return move_visit(self.tx, **self.moving(ref, **overrides))

    def cancelling(self, ref, **overrides):
        """What cancels a visit."""
        said = {"actor": self.world.dealer, "at": AT + timedelta(hours=2), "ref": ref, "sequence": 0}
        return said | {"reason": "Nobody is there"} | overrides

    def cancel(self, ref, **overrides):
        """The visit is cancelled."""
        return cancel_visit(self.tx, **self.cancelling(ref, **overrides))

    def converting(self, ref, **overrides):
        """What makes a visit a remote session."""
        said = {"actor": self.world.dealer, "at": AT + timedelta(hours=2), "ref": ref, "sequence": 0}
        return said | {"problem": "The ballroom stays dark"} | overrides

    def convert(self, ref, **overrides):
        """The visit is a remote session."""
        return convert_visit(self.tx, **self.converting(ref, **overrides))

    def signing(self, ref, **overrides):
        """What signs a visit off, two days after MONDAY."""
        said = {
            "actor": self.world.account, "at": datetime.combine(MONDAY, time(20), AT.tzinfo) + timedelta(days=2),
            "ref": ref, "sequence": 0, "report": "All panels cleaned",
            "checked": ["Preventive maintenance: Panel maintenance"], "signed_name": "Edith Marsh",
        }  # fmt: skip
        return said | overrides

    def sign(self, ref, **overrides):
        """The visit is signed off."""
        return sign_off_visit(self.tx, **self.signing(ref, **overrides))

    def visit(self, ref):
        """The visit of this number, read anew."""
        self.tx.expire_all()
        number = int(ref.rpartition("-")[2])
        return self.tx.scalars(
            sa.select(ServiceVisit).where(
                ServiceVisit.dealer_id == self.world.dealer.company_id, ServiceVisit.number == number
            )
        ).one()

    def mails(self, word):
        """To whom mails went whose subject holds the word."""
        self.tx.flush()
        rows = self.tx.scalars(sa.select(OutgoingMail.recipient).where(OutgoingMail.subject.contains(word)))
        return sorted(rows)


def open_day(day, step=1):
    """The next Tuesday or Wednesday from a day on that is no holiday; `step` -1 looks back."""
    while day.weekday() not in {1, 2} or (day.month, day.day) in {(1, 1), (7, 4), (12, 25)}:
        day += timedelta(days=step)
    return day


def add_place(visiting, project, zone, name="Annex"):
    """Another site of a project, in a time zone; returns its number."""
    site = add_site(
        visiting.tx, actor=visiting.world.account, at=AT, ref=project, name=name, place="Far", time_zone=zone
    )
    visiting.tx.flush()
    return f"{project}/{site.number}"
