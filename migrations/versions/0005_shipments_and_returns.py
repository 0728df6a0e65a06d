"""What shipped of an order and what came back of it; the states an order then stands in.

Revision 0005, after 0004.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KEYS = {
    "shipment": ("dealer_id order_id number", "dealer_id idempotency_key"),
    "shipment_line": ("dealer_id order_id shipment_number line_id",),
    "order_return": ("dealer_id order_id number", "dealer_id idempotency_key"),
    "order_return_line": ("dealer_id order_id return_number line_id",),
}
"""The new tables, insert-only, with the keys whose rows SQLite's INSERT OR REPLACE must not take away."""
CANCELLATION_LINE_KEYS = ("dealer_id order_id cancellation_number line_id",)
REASONS = ("damaged", "wrong_item", "not_needed", "defective", "other")
OLD_STATES = ("entered", "part_cancelled", "cancelled")
STATES = (*OLD_STATES, "part_shipped", "shipped", "part_returned", "returned")


def _units(table: str) -> str:
    """Return the sum of the units of this order line in a table."""
    return (
        f"(SELECT coalesce(sum(x.quantity), 0) FROM {table} AS x WHERE x.dealer_id = NEW.dealer_id"
        " AND x.order_id = NEW.order_id AND x.line_id = NEW.line_id)"
    )


ORDERED = (
    "(SELECT o.quantity FROM order_line AS o WHERE o.dealer_id = NEW.dealer_id"
    " AND o.order_id = NEW.order_id AND o.line_id = NEW.line_id)"
)
TOO_MANY = {
    "shipment_line": f"NEW.quantity > {ORDERED} - {_units('cancellation_line')} - {_units('shipment_line')}",
    "cancellation_line": f"NEW.quantity > {ORDERED} - {_units('cancellation_line')} - {_units('shipment_line')}",
    "order_return_line": f"NEW.quantity > {_units('shipment_line')} - {_units('order_return_line')}",
}
"""A unit ships or is cancelled, once; what comes back has shipped, and comes back once."""


def upgrade() -> None:
    """Create the tables with their triggers, and let an order stand in the new states."""
    _make_tables()
    _set_order_states(OLD_STATES, STATES)
    if op.get_bind().dialect.name == "sqlite":
        _triggers_sqlite()
    else:
        _triggers_postgresql()


def _make_tables() -> None:
    op.create_table(
        "shipment",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("request_digest", sa.LargeBinary(32), nullable=False),
        sa.Column("shipped_on", sa.Date(), nullable=False),
        sa.Column("carrier", sa.Text(), nullable=False),
        sa.Column("tracking_number", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("number > 0", name=op.f("ck_shipment_number_positive")),
        sa.ForeignKeyConstraint(["recorded_by"], ["user.id"], name=op.f("fk_shipment_recorded_by")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "order_id"],
            ["order.dealer_id", "order.id"],
            name=op.f("fk_shipment_dealer_id_order_id"),
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_shipment_dealer_id")),
        sa.PrimaryKeyConstraint("dealer_id", "order_id", "number", name=op.f("pk_shipment")),
        sa.UniqueConstraint(
            "dealer_id", "idempotency_key", name=op.f("uq_shipment_dealer_id_idempotency_key")
        ),
    )
    op.create_table(
        "shipment_line",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("shipment_number", sa.BigInteger(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_shipment_line_quantity_positive")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "order_id", "shipment_number"],
            ["shipment.dealer_id", "shipment.order_id", "shipment.number"],
            name=op.f("fk_shipment_line_dealer_id_order_id_shipment_number"),
        ),
        *_line_keys("shipment_line", "shipment_number"),
    )
    op.create_table(
        "order_return",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("request_digest", sa.LargeBinary(32), nullable=False),
        sa.Column(
            "reason",
            sa.Enum(*REASONS, name="reason", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("products_cents", sa.BigInteger(), nullable=False),
        sa.Column("credit_cents", sa.BigInteger(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=True),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("returned_by", sa.Uuid(), nullable=False),
        sa.Column("returned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("returned_on", sa.Date(), nullable=False),
        sa.CheckConstraint("number > 0", name=op.f("ck_order_return_number_positive")),
        sa.CheckConstraint(
            "products_cents >= 0 AND credit_cents >= 0", name=op.f("ck_order_return_amounts_not_negative")
        ),
        sa.CheckConstraint(
            "(credit_cents = 0) = (entry_id IS NULL)", name=op.f("ck_order_return_credit_has_entry")
        ),
        sa.CheckConstraint("reason <> 'other' OR words <> ''", name=op.f("ck_order_return_other_has_words")),
        sa.ForeignKeyConstraint(["returned_by"], ["user.id"], name=op.f("fk_order_return_returned_by")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "entry_id"],
            ["ledger_entry.dealer_id", "ledger_entry.id"],
            name=op.f("fk_order_return_dealer_id_entry_id"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "order_id"],
            ["order.dealer_id", "order.id"],
            name=op.f("fk_order_return_dealer_id_order_id"),
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_order_return_dealer_id")),
        sa.PrimaryKeyConstraint("dealer_id", "order_id", "number", name=op.f("pk_order_return")),
        sa.UniqueConstraint(
            "dealer_id", "idempotency_key", name=op.f("uq_order_return_dealer_id_idempotency_key")
        ),
    )
    op.create_table(
        "order_return_line",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("return_number", sa.BigInteger(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("credit_cents", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_order_return_line_quantity_positive")),
        sa.CheckConstraint("credit_cents >= 0", name=op.f("ck_order_return_line_credit_not_negative")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "order_id", "return_number"],
            ["order_return.dealer_id", "order_return.order_id", "order_return.number"],
            name=op.f("fk_order_return_line_dealer_id_order_id_return_number"),
        ),
        *_line_keys("order_return_line", "return_number"),
    )


def _line_keys(table: str, number: str) -> tuple[sa.Constraint, ...]:
    return (
        sa.ForeignKeyConstraint(
            ["dealer_id", "order_id", "line_id"],
            ["order_line.dealer_id", "order_line.order_id", "order_line.line_id"],
            name=op.f(f"fk_{table}_dealer_id_order_id_line_id"),
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f(f"fk_{table}_dealer_id")),
        sa.PrimaryKeyConstraint("dealer_id", "order_id", number, "line_id", name=op.f(f"pk_{table}")),
    )


# states -----------------------------------------------------------------------------------------


def _in(states: tuple[str, ...]) -> str:
    return f"state IN ({', '.join(repr(state) for state in states)})"


def _set_order_states(before: tuple[str, ...], after: tuple[str, ...]) -> None:
    """Let an order be in the states of `after`.

    SQLite cannot alter a CHECK, and building the table anew would lose its triggers and the keys into it:
    its text in the schema is changed, as SQLite's documentation of ALTER TABLE says for a CHECK.
    """
    bind = op.get_bind()
    if bind.dialect.name != "sqlite":
        op.drop_constraint(op.f("ck_order_state"), "order", type_="check")
        op.create_check_constraint(op.f("ck_order_state"), "order", _in(after))
        return
    version = bind.execute(sa.text("PRAGMA schema_version")).scalar_one()
    op.execute("PRAGMA writable_schema = ON")
    changed = bind.execute(
        sa.text(
            "UPDATE sqlite_master SET sql = replace(sql, :before, :after)"
            " WHERE type = 'table' AND name = 'order' AND instr(sql, :before)"
        ),
        {"before": _in(before), "after": _in(after)},
    ).rowcount
    op.execute(f"PRAGMA schema_version = {version + 1}")
    op.execute("PRAGMA writable_schema = OFF")
    if changed != 1:
        raise RuntimeError('the table "order" does not hold the CHECK of its state')


# triggers ---------------------------------------------------------------------------------------


def _triggers_sqlite() -> None:
    for table, keys in KEYS.items():
        for event in ("UPDATE", "DELETE"):
            op.execute(
                f'CREATE TRIGGER {table}_no_{event.lower()} BEFORE {event} ON "{table}" '
                f"BEGIN SELECT RAISE(ABORT, 'append_only: {table}'); END"
            )
        op.execute(
            f'CREATE TRIGGER {table}_no_replace BEFORE INSERT ON "{table}" WHEN {_taken(table, keys)} '
            f"BEGIN SELECT RAISE(ABORT, 'append_only: {table}'); END"
        )
    for table, condition in TOO_MANY.items():
        keys = KEYS.get(table, CANCELLATION_LINE_KEYS)
        op.execute(  # a row that is there already is told of as such, whichever trigger comes first
            f"CREATE TRIGGER {table}_units BEFORE INSERT ON {table} WHEN NOT ({_taken(table, keys)}) AND {condition} "
            f"BEGIN SELECT RAISE(ABORT, 'too_many: {table}'); END"
        )


def _taken(table: str, keys: tuple[str, ...]) -> str:
    return " OR ".join(
        f'EXISTS (SELECT 1 FROM "{table}" WHERE '
        + " AND ".join(f'"{column}" = NEW."{column}"' for column in key.split())
        + ")"
        for key in keys
    )


def _triggers_postgresql() -> None:
    for table in KEYS:
        _always(f"{table}_no_change", table, "BEFORE UPDATE OR DELETE", "ROW", "refuse_change")
        _always(f"{table}_no_truncate", table, "BEFORE TRUNCATE", "STATEMENT", "refuse_change")
    for table, condition in TOO_MANY.items():
        op.execute(
            f"CREATE FUNCTION guard_{table}_units() RETURNS trigger LANGUAGE plpgsql AS $$ "
            f"BEGIN IF {condition} THEN RAISE EXCEPTION 'too_many: {table}' "
            f"USING ERRCODE = 'restrict_violation'; END IF; RETURN NEW; END $$"
        )
        _always(f"{table}_units", table, "BEFORE INSERT", "ROW", f"guard_{table}_units")


def _always(name: str, table: str, event: str, each: str, function: str) -> None:
    op.execute(f'CREATE TRIGGER {name} {event} ON "{table}" FOR EACH {each} EXECUTE FUNCTION {function}()')
    op.execute(f'ALTER TABLE "{table}" ENABLE ALWAYS TRIGGER {name}')


def downgrade() -> None:
    """Drop the tables again. Refuses where something has shipped (RuntimeError)."""
    bind = op.get_bind()
    if bind.execute(sa.text("SELECT 1 FROM shipment LIMIT 1")).first():
        raise RuntimeError("shipment has rows that the older tables cannot hold: restore a backup instead")
    is_sqlite = bind.dialect.name == "sqlite"
    op.execute(f"DROP TRIGGER cancellation_line_units{'' if is_sqlite else ' ON cancellation_line'}")
    for table in ("order_return_line", "order_return", "shipment_line", "shipment"):
        op.drop_table(table)
    if not is_sqlite:
        for table in TOO_MANY:
            op.execute(f"DROP FUNCTION guard_{table}_units()")
    _set_order_states(STATES, OLD_STATES)
