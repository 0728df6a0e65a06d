"""Other ledgers of PyPI, and two written here: each posts one balanced pair of sides per act."""

from __future__ import annotations

import importlib
import itertools
import uuid
from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.common import Server

CENTS = 12_345

# django-hordak ----------------------------------------------------------------------------------


def _open_hordak(server: Server) -> None:
    conf, django = importlib.import_module("django.conf"), importlib.import_module("django")
    conf.settings.configure(
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": "hordak",
                "USER": "postgres",
                "HOST": str(server.directory),
                "CONN_MAX_AGE": None,
            }
        },
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "mptt", "hordak"],
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        HORDAK_INTERNAL_CURRENCY="USD",
        HORDAK_CURRENCIES=["USD"],
        HORDAK_DECIMAL_PLACES=2,
        HORDAK_MAX_DIGITS=20,
        USE_TZ=True,
        DEBUG=False,
    )
    django.setup()


def make_hordak(server: Server, dealers: int) -> None:
    """Make its database: an account and a contra account per dealer. Runs in a process of its own."""
    server.create("hordak")
    _open_hordak(server)
    importlib.import_module("django.core.management").call_command("migrate", verbosity=0)
    account = importlib.import_module("hordak.models").Account
    for number in range(dealers):
        for kind, code in (("LI", 2 * number), ("EX", 2 * number + 1)):
            account.objects.create(name=f"{kind} {number}", code=str(code), type=kind, currencies=["USD"])
    importlib.import_module("django.db").connection.close()


def post_by_hordak(client: int, server: Server, clients: int) -> Callable[[], None]:
    """Post as its documentation does: `transfer_to` in one database transaction. No key, no digest, no head."""
    _open_hordak(server)
    account = importlib.import_module("hordak.models").Account
    atomic = importlib.import_module("django.db.transaction").atomic
    money = importlib.import_module("moneyed").Money
    pairs = list(
        zip(
            account.objects.filter(type="LI").order_by("pk"),
            account.objects.filter(type="EX").order_by("pk"),
            strict=True,
        )
    )
    own = itertools.cycle(pairs[client::clients])

    def act() -> None:
        credit, contra = next(own)
        with atomic():
            credit.transfer_to(contra, money("123.45", "USD"), description="Order")

    return act


# hf-nostro --------------------------------------------------------------------------------------


def make_nostro(server: Server, dealers: int) -> None:
    """Make its database: an account and a contra account per dealer."""
    server.create("nostro")
    nostro = importlib.import_module("nostro")
    importlib.import_module("nostro.migrate").migrate(dsn=server.dsn("nostro"), scale=2)
    ledger = nostro.Ledger(dsn=server.dsn("nostro"), scale=2)
    for number in range(dealers):
        for scope in ("credit", "contra"):
            ledger.accounts.get_or_create(f"dealer-{number}", scope)
    ledger.close()


def post_by_nostro(client: int, server: Server, dealers: int, clients: int, by: str) -> Callable[[], None]:
    """Post a credit and a debit in one transaction, as its documentation joins one's own; each with its key.

    `by` "ids": its own ids, read before; "keys": AccountKey, as in its quickstart, looked up in each call.
    """
    nostro = importlib.import_module("nostro")
    pools = importlib.import_module("psycopg_pool")
    ledger = nostro.Ledger(dsn=server.dsn("nostro"), scale=2)
    pairs = [
        tuple(nostro.AccountKey(f"dealer-{number}", scope) for scope in ("credit", "contra"))
        for number in range(client, dealers, clients)
    ]
    if by == "ids":
        pairs = [
            tuple(ledger.accounts.get_or_create(key.tenant_id, key.scope_ref).id for key in pair)
            for pair in pairs
        ]
    own = itertools.cycle(pairs)
    amount = ledger.amount("123.45")
    pool = pools.ConnectionPool(server.dsn("nostro"), min_size=1, max_size=1, open=True)

    def act() -> None:
        credit, contra = next(own)
        key = uuid.uuid4().hex
        with pool.connection() as connection, connection.cursor() as cur:
            ledger.credit(credit, amount, category="order", idempotency_key=f"c{key}", cur=cur)
            ledger.debit(contra, amount, category="order", idempotency_key=f"d{key}", cur=cur)

    return act


# naive SQLAlchemy Core --------------------------------------------------------------------------

NAIVE = sa.MetaData()
_account = sa.Table(
    "account",
    NAIVE,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("balance_cents", sa.BigInteger, nullable=False),
)
_entry = sa.Table(
    "entry",
    NAIVE,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now()),
    sa.Column("memo", sa.Text, nullable=False),
)
_posting = sa.Table(
    "posting",
    NAIVE,
    sa.Column("id", sa.BigInteger, primary_key=True),
    sa.Column("entry_id", sa.ForeignKey("entry.id"), nullable=False),
    sa.Column("account_id", sa.ForeignKey("account.id"), nullable=False, index=True),
    sa.Column("amount_cents", sa.BigInteger, nullable=False),
    sa.Column("balance_cents", sa.BigInteger, nullable=False),
)


def make_naive(server: Server, dealers: int) -> None:
    """Make the tables one would write in an hour."""
    server.create("naive")
    engine = sa.create_engine(server.uri("naive"))
    NAIVE.create_all(engine)
    with engine.begin() as connection:
        rows = [{"id": number, "balance_cents": 0} for number in range(1, 2 * dealers + 1)]
        connection.execute(sa.insert(_account), rows)
    engine.dispose()


def post_by_naive_core(client: int, server: Server, dealers: int, clients: int) -> Callable[[], None]:
    """Lock both accounts, write one entry and two postings, move both balances: statement by statement."""
    engine = sa.create_engine(server.uri("naive"))
    own = itertools.cycle(range(client, dealers, clients))

    def act() -> None:
        number = next(own)
        with engine.begin() as tx:
            entry_id = uuid.uuid4()
            tx.execute(sa.insert(_entry).values(id=entry_id, memo="Order"))
            for account_id, cents in ((2 * number + 1, CENTS), (2 * number + 2, -CENTS)):
                balance = tx.execute(
                    sa.select(_account.c.balance_cents).where(_account.c.id == account_id).with_for_update()
                ).scalar_one()
                tx.execute(
                    sa.insert(_posting).values(
                        entry_id=entry_id,
                        account_id=account_id,
                        amount_cents=cents,
                        balance_cents=balance + cents,
                    )
                )
                tx.execute(
                    sa.update(_account)
                    .where(_account.c.id == account_id)
                    .values(balance_cents=balance + cents)
                )

    return act
