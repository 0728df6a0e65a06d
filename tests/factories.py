"""Makes what tests need, through the house's own operations; every maker takes overrides."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from quotes.operations.decisions import Evidence, approve_revision
from quotes.operations.orders import place_order
from quotes.operations.price_lists import publish_price_list
from quotes.operations.quotes import LineInput, ServiceInput, save_draft, start_quote
from quotes.operations.returns import return_order
from quotes.operations.shipments import ship_order
from quotes.operations.submissions import submit_revision
from quotes.queries.price_lists import NewItem
from quotes.queries.quotes import quote_page
from quotes.rules.content import ATTESTATIONS
from quotes.states import Category, ReturnReason, ServiceKind
from referral.db import Base, read, write
from referral.errors import Refusal
from referral.ids import PublicNumber
from referral.models import User
from referral.operations.companies import add_account_number, add_company, add_qualification
from referral.operations.exchange_rates import set_exchange_rate
from referral.operations.people import add_user
from referral.operations.referrals import accept_referral, open_referral
from referral.permissions import CompanyKind, Role, Viewer
from referral.queries.people import viewer_of
from referral.queries.settings import today
from support.operations.agreements import build_agreement, newest_offer
from support.operations.agreements_deciding import accept_agreement, offer_agreement
from support.operations.calls import open_call
from support.operations.catalogue import load_catalogue
from support.operations.uses import record_use
from support.operations.visits import plan_visit
from support.queries.agreement_facts import agreement_facts
from support.queries.agreement_sites import sites_of_agreements
from support.queries.call_ways import site_ref_of
from support.queries.catalogue import offer_of_entry
from support.queries.visits_facts import visit_facts
from support.rules.agreements import choosable, is_to_be_said
from support.rules.quotas import contract_years, counted_grants
from support.schemas.catalogue import shipped_catalogue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from uuid import UUID

    from sqlalchemy.orm import Session

    from quotes.models.orders import Order
    from quotes.models.quotes import Approval, Revision
    from quotes.models.returns import OrderReturn
    from quotes.models.shipments import Shipment
    from referral.models import Company
    from support.models.agreements import Agreement, QuotaUse
    from support.rules.catalogue import Change

AT = datetime(2026, 5, 4, 15, 0, tzinfo=UTC)
"""The instant at which tests happen unless they say otherwise: 4 May 2026, 11:00 in New York."""
SINCE = date(2020, 1, 1)
PASSWORD = "correct horse battery"

_count = itertools.count(1)

ITEMS = (
    NewItem("D3-LIGHT", "Downlight, 25 degrees", "D3", Category.LIGHT_SOURCE, "each", 41250),
    NewItem("D3-TRIM", "Trim, round, white", "D3", Category.ACCESSORY, "each", 3333),
    NewItem("L3I-STRIP", "Linear, one foot", "L3I", Category.LIGHT_SOURCE, "ft", 9999),
    NewItem("PROC-1", "Processor", "Controls", Category.CONTROL, "each", 120000),
)


def make_company(tx: Session, kind: CompanyKind, *, code: str = "", **overrides: Any) -> Company:
    """A company of one kind, active since SINCE."""
    number = next(_count)
    said: dict[str, Any] = {
        "actor": None,
        "at": AT,
        "code": code or f"{kind.value[:3].upper()}{number}",
        "name": f"{kind.value.title()} {number}",
        "kinds": frozenset({kind}),
        "city": "Camden",
        "region": "ME",
        "serves": "",
        "active_from": SINCE,
    }
    company = add_company(tx, **(said | overrides))
    tx.flush()
    return company


def make_user(tx: Session, company: Company, *roles: Role, **overrides: Any) -> Viewer:
    """A user of the company with these roles, as the viewer and actor it is."""
    number = next(_count)
    said: dict[str, Any] = {
        "actor": None,
        "at": AT,
        "company_id": company.id,
        "name": f"Person {number}",
        "email": f"person{number}@{company.code.lower()}.example",
        "roles": roles,
        "password_hash": None,
    }
    user = add_user(tx, **(said | overrides))
    tx.flush()
    viewer = viewer_of(tx, user.id, at=AT)
    assert viewer is not None
    return viewer


def make_program(tx: Session) -> Viewer:
    """The program's admin, with the program's company."""
    return make_user(tx, make_company(tx, CompanyKind.PROGRAM), Role.PROGRAM_ADMIN)


def make_dealer(tx: Session, program: Viewer, *, number: str = "", **overrides: Any) -> Viewer:
    """A dealer with an account number; returns its approver."""
    company = make_company(tx, CompanyKind.DEALER, **overrides)
    add_account_number(
        tx,
        actor=program,
        at=AT,
        code=company.code,
        number=number or f"0048-{next(_count):04}",
        valid_from=SINCE,
        valid_to=None,
    )
    tx.flush()
    return make_user(tx, company, Role.DEALER_APPROVER)


def make_account(
    tx: Session, program: Viewer, *, qualified_to: date | None = None, **overrides: Any
) -> Viewer:
    """A Ketra-qualified account; returns its builder."""
    company = make_company(tx, CompanyKind.ACCOUNT, **overrides)
    add_qualification(
        tx,
        actor=program,
        at=AT,
        code=company.code,
        valid_from=SINCE,
        valid_to=qualified_to,
        evidence="Certificate",
    )
    tx.flush()
    return make_user(tx, company, Role.ACCOUNT_BUILDER)


def make_price_list(tx: Session, program: Viewer, **overrides: Any) -> None:
    """A price list of ITEMS, valid since 2020."""
    said: dict[str, Any] = {
        "actor": program,
        "at": AT,
        "items": ITEMS,
        "valid_from": SINCE,
        "source": "list.csv",
        "source_sha256": "0" * 64,
    }
    publish_price_list(tx, **(said | overrides))
    tx.flush()


def make_rate(tx: Session, program: Viewer, **overrides: Any) -> None:
    """An exchange rate of 0.7312 for one CAD, valid since 2020."""
    said: dict[str, Any] = {
        "actor": program,
        "at": AT,
        "currency": "CAD",
        "rate": 731_200,
        "valid_from": SINCE,
        "reason": "Letter",
        "source": "Bank",
    }
    set_exchange_rate(tx, **(said | overrides))
    tx.flush()


def make_catalogue(tx: Session, program: Viewer | None, **overrides: Any) -> tuple[Change, ...]:
    """The shipped service catalogue, loaded on SINCE; `catalogue` and `at` say otherwise."""
    said: dict[str, Any] = {
        "actor": program,
        "at": datetime(SINCE.year, SINCE.month, SINCE.day, tzinfo=UTC),
        "catalogue": shipped_catalogue(),
        "reason": "First",
    }
    changes = load_catalogue(tx, **(said | overrides))
    tx.flush()
    return changes


@dataclass
class World:
    """The program, one dealer and one qualified account with a price list; the usual ground of a test."""

    tx: Session
    program: Viewer
    dealer: Viewer
    account: Viewer
    number: str

    def refer(self, **overrides: Any) -> str:
        """An accepted referral of the dealer to the account; returns its number."""
        said: dict[str, Any] = {
            "actor": self.dealer,
            "at": AT,
            "account_code": self.account.company_code,
            "project_name": f"House {next(_count)}",
            "place": "Camden, ME",
            "spaces": "Kitchen",
            "wanted_on": None,
            "client_name": "Edith Marsh",
            "client_contact": "marsh@client.example",
            "client_shared": False,
            "is_suitable": True,
        }
        referral = open_referral(self.tx, **(said | overrides))
        self.tx.flush()
        ref = str(PublicNumber("R", self.dealer.company_code, referral.number))
        accept_referral(self.tx, actor=self.account, at=overrides.get("at", AT), ref=ref)
        return ref

    def draft(self, *, at: datetime = AT, **overrides: Any) -> str:
        """A quote with a filled first draft; returns its number."""
        _, ref = start_quote(self.tx, actor=self.account, at=at, referral_ref=self.refer(at=at))
        self.save(ref, at=at, **overrides)
        return ref

    def save(self, ref: str, *, revision: int = 1, at: datetime = AT, **overrides: Any) -> Revision:
        """The draft says: ten lights and trims in the kitchen, one processor, installation for 1,000.00."""
        said: dict[str, Any] = {
            "actor": self.account,
            "at": at,
            "ref": ref,
            "revision_number": revision,
            "draft_version": None,
            "account_number": self.number,
            "note": "",
            "lines": [
                LineInput("D3-LIGHT", 10, "Kitchen"),
                LineInput("D3-TRIM", 10, "Kitchen"),
                LineInput("PROC-1", 1, "Equipment"),
            ],
            "services": [ServiceInput(ServiceKind.INSTALL, "Installation", 100000)],
            "has_no_services": False,
        }
        return save_draft(self.tx, **(said | overrides))

    def submit(self, ref: str = "", *, revision: int = 1, at: datetime = AT, **overrides: Any) -> str:
        """A submitted revision; of a new quote unless `ref` names one. Returns the quote's number."""
        ref = ref or self.draft(at=at, **overrides)
        submit_revision(
            self.tx, actor=self.account, at=at, ref=ref, revision_number=revision, draft_version=None
        )
        self.tx.flush()
        return ref

    def digest(self, ref: str, revision: int = 1) -> str:
        """The digest of a submitted revision."""
        page = quote_page(self.tx, viewer=self.account, at=AT, ref=ref, revision_number=revision)
        return str(page.revision.digest)

    def approve(self, ref: str = "", *, revision: int = 1, **overrides: Any) -> str:
        """An approved revision; of a new quote unless `ref` names one. Returns the quote's number."""
        ref = ref or self.submit()
        self.approval(ref, revision=revision, **overrides)
        return ref

    def approval(self, ref: str, *, revision: int = 1, **overrides: Any) -> Approval:
        """The approval of a submitted revision by the dealer."""
        said: dict[str, Any] = {
            "actor": self.dealer,
            "at": AT,
            "ref": ref,
            "revision_number": revision,
            "digest": self.digest(ref, revision),
            "attested": frozenset(ATTESTATIONS),
            "typed_account_number": self.number,
            "typed_name": self.dealer.name,
            "evidence": Evidence("127.0.0.1", "test", "test"),
        }
        return approve_revision(self.tx, **(said | overrides))

    def order(self, ref: str = "", **overrides: Any) -> tuple[Order, str]:
        """An order of everything that remains, of a newly approved quote unless `ref` names one."""
        said: dict[str, Any] = {
            "actor": self.account,
            "at": AT,
            "ref": ref or self.approve(),
            "revision_number": 1,
            "quantities": None,
            "purchase_order": "PO-1",
            "idempotency_key": f"key-{next(_count)}",
        }
        answer = place_order(self.tx, **(said | overrides))
        self.tx.flush()
        return answer

    def ship(self, ref: str, **overrides: Any) -> Shipment:
        """Everything left of the order has shipped on the day of `at`."""
        said: dict[str, Any] = {
            "actor": self.account,
            "at": AT,
            "ref": ref,
            "quantities": None,
            "shipped_on": AT.date(),
            "carrier": "UPS",
            "tracking_number": "1Z999",
            "idempotency_key": f"ship-{next(_count)}",
        }
        shipment = ship_order(self.tx, **(said | overrides))
        self.tx.flush()
        return shipment

    def take_back(self, ref: str, **overrides: Any) -> OrderReturn:
        """Everything that shipped of the order and is not back is returned."""
        said: dict[str, Any] = {
            "actor": self.account,
            "at": AT,
            "ref": ref,
            "quantities": None,
            "reason": ReturnReason.DAMAGED,
            "words": "",
            "idempotency_key": f"return-{next(_count)}",
        }
        returned = return_order(self.tx, **(said | overrides))
        self.tx.flush()
        return returned

    def line_ids(self, ref: str, revision: int = 1) -> list[UUID]:
        """The ids of a revision's lines, in order."""
        page = quote_page(self.tx, viewer=self.account, at=AT, ref=ref, revision_number=revision)
        return [row.line.line_id for row in page.lines]


def make_world(tx: Session) -> World:
    """A program, a dealer, an account, a price list."""
    program = make_program(tx)
    number = f"0048-{next(_count):04}"
    world = World(tx, program, make_dealer(tx, program, number=number), make_account(tx, program), number)
    make_price_list(tx, program)
    return world


def make_agreement(
    world: World,
    *,
    offer_key: str = "gold",
    sites: Sequence[str] | None = None,
    starts_on: date | None = None,
    months: int = 12,
    choices: Mapping[str, int | bool | None] | None = None,
    license_cents: int | None = None,
    net_cents: int = 120_000,
    tax_basis_points: int = 800,
    until: str = "accepted",
    at: datetime | None = None,
    **overrides: Any,
) -> Agreement:
    """An agreement of the world's dealer, accepted unless `until` says draft or offered; its number is `.number`.

    `sites` are as R-HARBOR-3/1; without any a new project's own place. It starts on the day of AT unless told.
    What has to be counted and is not said is counted 2. It is made, offered and accepted at `at`: AT, or noon of
    the first day where that is earlier. The catalogue needs to be loaded: `make_catalogue`.
    """
    tx = world.tx
    starts_on = starts_on or AT.date()
    at = at or min(AT, datetime(starts_on.year, starts_on.month, starts_on.day, 16, tzinfo=UTC))
    offer = offer_of_entry(tx, newest_offer(tx, offer_key, at=at))
    counts: dict[str, int | bool | None] = {
        grant.key: 2 for grant in choosable(offer) if is_to_be_said(offer, grant)
    }
    said: dict[str, Any] = {
        "actor": world.dealer,
        "at": at,
        "offer_key": offer_key,
        "offer_version": None,
        "customer": "Edith Marsh",
        "sites": sites or [f"{world.refer()}/1"],
        "starts_on": starts_on,
        "months": months,
        "choices": counts | dict(choices or {}),
        "license_cents": license_cents,
        "idempotency_key": f"agreement-{next(_count)}",
    }
    agreement = build_agreement(tx, **(said | overrides))
    tx.flush()
    ref = str(PublicNumber("A", world.dealer.company_code, agreement.number))
    if until in {"offered", "accepted"}:
        years = contract_years(agreement.starts_on, agreement.months, agreement.last_on)
        offer_agreement(
            tx, actor=world.program, at=at, ref=ref, edit_count=agreement.edit_count,
            net_cents=[net_cents] * len(years), tax_basis_points=tax_basis_points,
        )  # fmt: skip
    if until == "accepted":
        accept_agreement(
            tx, actor=world.dealer, at=at, ref=ref, digest=str(agreement.terms_digest), is_accepted=True,
            typed_name=world.dealer.name,
        )  # fmt: skip
    tx.flush()
    return agreement


def make_visit(world: World, agreement: Agreement, **overrides: Any) -> str:
    """A visit of the agreement two weeks after `at` at its first site, for two hours; returns its number.

    It is on a Tuesday or Wednesday that is no holiday, and for the first purpose of its grant.
    """
    tx, at = world.tx, overrides.get("at", AT)
    facts = visit_facts(tx, [agreement])[agreement.id]
    slot = facts.undated[0]
    day = overrides.pop("day", at.date() + timedelta(days=14))
    while day.weekday() not in {1, 2} or (day.month, day.day) in {(1, 1), (7, 4), (12, 25)}:
        day += timedelta(days=1)
    said: dict[str, Any] = {
        "actor": world.dealer,
        "at": at,
        "ref": str(PublicNumber("A", world.dealer.company_code, agreement.number)),
        "grant_key": slot.grant_key,
        "contract_year": None,
        "slot": None,
        "site_id": sites_of_agreements(tx, [agreement])[agreement.id][0].site_id,
        "day": day,
        "starts": time(9),
        "ends": time(11),
        "purposes": slot.purposes[:1],
        "words": "",
        "idempotency_key": f"visit-{next(_count)}",
    }
    visit = plan_visit(tx, **(said | overrides))
    tx.flush()
    return str(PublicNumber("V", world.dealer.company_code, visit.number))


def make_call(world: World, *, at: datetime | None = None, **overrides: Any) -> str:
    """A service call at a new project's place, under the best there is; returns its number."""
    said: dict[str, Any] = {
        "actor": world.dealer,
        "at": at or AT,
        "source_ref": "",
        "site_ref": "",
        "platform": None,
        "under": "",
        "problem": "The lights stay dark.",
        "priority": None,
        "happened_at": None,
        "idempotency_key": f"call-{next(_count)}",
    }
    said |= overrides
    if not said["source_ref"] and not said["site_ref"]:
        agreement = make_agreement(world, at=at or AT, starts_on=today(world.tx, at or AT))
        said["site_ref"] = site_ref_of(
            world.tx, agreement.dealer_id, sites_of_agreements(world.tx, [agreement])[agreement.id][0].site_id
        )
    call = open_call(world.tx, **said)
    world.tx.flush()
    return str(PublicNumber("S", world.dealer.company_code, call.number))


def make_use(world: World, agreement: Agreement, **overrides: Any) -> QuotaUse:
    """One unit of the agreement's first counted grant was used on the day of `at`, by the program's desk."""
    at = overrides.get("at", AT)
    (facts,) = agreement_facts(world.tx, [agreement])
    said: dict[str, Any] = {
        "actor": world.program,
        "at": at,
        "ref": facts.ref,
        "grant_key": counted_grants(facts.offer, facts.choices)[0].key,
        "used_on": today(world.tx, at),
        "asked": 1,
        "within": {},
        "site_ref": sites_of_agreements(world.tx, [agreement])[agreement.id][0].term.ref,
        "words": "Maintenance",
        "idempotency_key": f"use-{next(_count)}",
    }
    use = record_use(world.tx, **(said | overrides))
    world.tx.flush()
    return use


def user_of(tx: Session, viewer: Viewer) -> User:
    """The user a viewer is, for the page client to sign in as."""
    return tx.get_one(User, viewer.user_id)


def everything(tx: Session) -> dict[str, list[str]]:
    """Every row of every table, audit and mail among them, to say that nothing changed."""
    return {
        table.name: sorted(repr(tuple(row)) for row in tx.execute(sa.select(table)))
        for table in Base.metadata.sorted_tables
    }


def refused(tx: Session, code: str, operation: Callable[..., Any], /, **said: Any) -> Refusal:
    """The operation refuses with this code when it is written, and no row of any table is another one."""
    tx.commit()
    before = read(everything)
    with pytest.raises(Refusal) as caught:
        write(operation, **said)
    assert caught.value.code == code, caught.value
    assert read(everything) == before
    tx.expire_all()
    return caught.value
