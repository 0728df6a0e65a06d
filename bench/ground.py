"""The ground of a measurement: the application's own tables with dealers, on either database."""

from __future__ import annotations

import itertools
import uuid
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from ledger.operations.entries import Posted, Source, post_entry
from ledger.states import AccountKind, EntryKind
from referral.clock import now
from referral.db import write
from referral.models import Company, User
from tests.applications import let_go, make_test_app, migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.orm import Session

    from bench.common import Server

YEAR = 2026
DAY = date(2026, 5, 4)
AT = datetime(2026, 5, 4, 15, 0, tzinfo=UTC)
CENTS = 12_345
SOURCE_DIGEST = "5e" * 32
ACTOR = uuid.UUID(int=1)


def dealer_id(number: int) -> uuid.UUID:
    """Return the id of a dealer of this ground; dealers count from 0."""
    return uuid.UUID(int=0x0190_0000_0000_7000_8000_0000_0000_0000 + number)


@contextmanager
def house_on(uri: str) -> Iterator[None]:
    """Be inside the application on this database."""
    app = make_test_app(uri)
    with app.app_context():
        yield
    let_go(app)


def make_ground(uri: str, dealers: int) -> None:
    """Migrate the database and put dealers into it. Their accounts are opened by their first entry."""
    migrate(uri)
    with house_on(uri):
        write(_add_dealers, dealers=dealers)


def _add_dealers(tx: Session, *, dealers: int) -> None:
    rows = [
        {
            "id": dealer_id(number), "code": f"D{number:06}", "name": f"Dealer {number}", "is_dealer": True,
            "is_account": False, "is_program": False, "city": "Camden", "region": "ME", "serves": "",
            "active_from": date(2020, 1, 1), "created_at": AT,
        }
        for number in range(dealers)
    ]  # fmt: skip
    tx.execute(sa.insert(Company), rows)
    tx.add(
        User(
            id=ACTOR, company_id=dealer_id(0), name="Person", email="p@d.example", email_folded="p@d.example",
            password_hash=None, sign_in_id="bench", is_active=True, created_at=AT,
        )
    )  # fmt: skip


def make_postgres_ground(server: Server, name: str, dealers: int) -> None:
    """Make a database of the server with its ground."""
    server.create(name)
    make_ground(server.uri(name), dealers)


def post_one(tx: Session, *, dealer: uuid.UUID, key: str) -> Posted:
    """Post what an order posts, as the operation of the orders does."""
    return post_entry(
        tx,
        actor=None,
        at=now(),
        dealer_id=dealer,
        program_year=YEAR,
        account_kind=AccountKind.SALES_CREDIT,
        kind=EntryKind.ORDER,
        amount_cents=CENTS,
        effective_on=DAY,
        idempotency_key=f"order:{key}",
        source=Source("O-HARBOR-12", SOURCE_DIGEST, "Order O-HARBOR-12"),
    )


def post_by_house(client: int, uri: str, dealers: list[int], clients: int) -> Callable[[], None]:
    """Post through `write()`, each client to its own part of the dealers (all, where there is but one)."""
    app = make_test_app(uri)
    app.app_context().push()
    own = [dealer_id(number) for number in (dealers[client::clients] or dealers)]
    turns = itertools.cycle(own)

    def act() -> None:
        write(post_one, dealer=next(turns), key=uuid.uuid4().hex)

    return act
