"""Dealers of another currency: their currency, a price list for each currency, exchange rates, the rate of an order.

Revision 0006, after 0005.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ORDER_COLUMNS = ("exchange_rate", "exchange_rate_on", "digest_version")
PRICE_LIST = (
    "id version valid_from currency source source_sha256 item_count published_by published_at".split()
)


def upgrade() -> None:
    """Orders entered so far are in the program's currency, and their digests are of the first recipe."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    op.execute(
        "ALTER TABLE company ADD COLUMN currency TEXT CONSTRAINT ck_company_currency_shape"
        " CHECK (length(currency) = 3 AND currency = upper(currency))"
    )
    op.execute(
        'ALTER TABLE "order" ADD COLUMN exchange_rate BIGINT NOT NULL DEFAULT 1000000'
        " CONSTRAINT ck_order_exchange_rate_positive CHECK (exchange_rate > 0)"
    )
    op.execute(
        'ALTER TABLE "order" ADD COLUMN exchange_rate_on DATE CONSTRAINT ck_order_exchange_rate_has_its_day'
        " CHECK (exchange_rate_on IS NOT NULL OR exchange_rate = 1000000)"
    )
    op.execute('ALTER TABLE "order" ADD COLUMN digest_version SMALLINT NOT NULL DEFAULT 1')
    op.create_table(
        "exchange_rate",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("rate", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Uuid(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "length(currency) = 3 AND currency = upper(currency)",
            name=op.f("ck_exchange_rate_currency_shape"),
        ),
        sa.CheckConstraint("rate > 0", name=op.f("ck_exchange_rate_rate_positive")),
        sa.ForeignKeyConstraint(["set_by"], ["user.id"], name=op.f("fk_exchange_rate_set_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchange_rate")),
    )
    op.create_index("ix_exchange_rate_currency", "exchange_rate", ["currency", "valid_from"])
    if is_sqlite:
        _rebuild_price_list("currency", "valid_from")
        _triggers_sqlite()
    else:
        op.drop_constraint("uq_price_list_valid_from", "price_list")
        op.create_unique_constraint(
            op.f("uq_price_list_currency_valid_from"), "price_list", ["currency", "valid_from"]
        )
        _triggers_postgresql()


def _rebuild_price_list(*unique: str) -> None:
    """Make SQLite's table anew, which can't change a constraint; its triggers and references come along."""
    bind = op.get_bind()
    triggers = bind.execute(
        sa.text(
            "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'price_list' ORDER BY name"
        )
    ).scalars()
    again = [str(sql) for sql in triggers]
    columns = ", ".join(PRICE_LIST)
    op.execute(f"CREATE TABLE price_list_before AS SELECT {columns} FROM price_list")
    op.drop_table("price_list")
    op.create_table(
        "price_list",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_sha256", sa.Text(), nullable=False),
        sa.Column("item_count", sa.BigInteger(), nullable=False),
        sa.Column("published_by", sa.Uuid(), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["published_by"], ["user.id"], name=op.f("fk_price_list_published_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_list")),
        sa.UniqueConstraint(*unique, name=op.f(f"uq_price_list_{'_'.join(unique)}")),
        sa.UniqueConstraint("version", name=op.f("uq_price_list_version")),
    )
    op.execute(f"INSERT INTO price_list ({columns}) SELECT {columns} FROM price_list_before")
    op.drop_table("price_list_before")
    for sql in again:
        op.execute(sql)


# triggers ---------------------------------------------------------------------------------------


def _differs(distinct: str) -> str:
    return " OR ".join(f"NEW.{column} {distinct} OLD.{column}" for column in ORDER_COLUMNS)


def _triggers_sqlite() -> None:
    for event in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER exchange_rate_no_{event.lower()} BEFORE {event} ON exchange_rate "
            "BEGIN SELECT RAISE(ABORT, 'append_only: exchange_rate'); END"
        )
    op.execute(
        "CREATE TRIGGER exchange_rate_no_replace BEFORE INSERT ON exchange_rate"
        " WHEN EXISTS (SELECT 1 FROM exchange_rate WHERE id = NEW.id)"
        " BEGIN SELECT RAISE(ABORT, 'append_only: exchange_rate'); END"
    )
    op.execute(
        "CREATE TRIGGER price_list_no_second_start BEFORE INSERT ON price_list WHEN EXISTS (SELECT 1 FROM"
        " price_list WHERE currency = NEW.currency AND valid_from = NEW.valid_from)"
        " BEGIN SELECT RAISE(ABORT, 'append_only: price_list'); END"
    )
    op.execute(
        f'CREATE TRIGGER order_exchange_fixed BEFORE UPDATE ON "order" WHEN {_differs("IS NOT")}'
        " BEGIN SELECT RAISE(ABORT, 'immutable: order'); END"
    )


def _triggers_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION guard_order_exchange_fixed() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN IF {_differs('IS DISTINCT FROM')} THEN RAISE EXCEPTION 'immutable: order' "
        "USING ERRCODE = 'restrict_violation'; END IF; RETURN NEW; END $$"
    )
    for name, table, event, function in (
        ("exchange_rate_no_change", "exchange_rate", "UPDATE OR DELETE ON {} FOR EACH ROW", "refuse_change"),
        ("exchange_rate_no_truncate", "exchange_rate", "TRUNCATE ON {} FOR EACH STATEMENT", "refuse_change"),
        ("order_exchange_fixed", "order", "UPDATE ON {} FOR EACH ROW", "guard_order_exchange_fixed"),
    ):
        on = event.format(f'"{table}"')
        op.execute(f"CREATE TRIGGER {name} BEFORE {on} EXECUTE FUNCTION {function}()")
        op.execute(f'ALTER TABLE "{table}" ENABLE ALWAYS TRIGGER {name}')


def downgrade() -> None:
    """Go back to one currency; two lists that start on one day stand in the way of it."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER order_exchange_fixed")
        op.execute("DROP TRIGGER price_list_no_second_start")
        _rebuild_price_list("valid_from")
    else:
        op.execute('DROP TRIGGER order_exchange_fixed ON "order"')
        op.execute("DROP FUNCTION guard_order_exchange_fixed()")
        op.drop_constraint("uq_price_list_currency_valid_from", "price_list")
        op.create_unique_constraint(op.f("uq_price_list_valid_from"), "price_list", ["valid_from"])
    op.drop_table("exchange_rate")
    for column in ("digest_version", "exchange_rate_on", "exchange_rate"):
        op.drop_column("order", column)
    op.drop_column("company", "currency")
