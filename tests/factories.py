"""Makes what tests need, through the house's own operations; every maker takes overrides."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import UTC, date, datetime
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

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from sqlalchemy.orm import Session

    from quotes.models.orders import Order
    from quotes.models.quotes import Approval, Revision
    from quotes.models.returns import OrderReturn
    from quotes.models.shipments import Shipment
    from referral.models import Company

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
