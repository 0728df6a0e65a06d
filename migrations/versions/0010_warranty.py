"""Warranty: terms, sites, installed sources with their events and serial numbers, claims.

Revision 0010, after 0009.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

APPEND_ONLY = {
    "warranty_term": ("id",),
    "site": ("dealer_id id", "dealer_id referral_id number"),
    "source_event": ("dealer_id source_id number",),
}
"""The new tables that only grow, with the keys whose rows SQLite's INSERT OR REPLACE must not take away."""
KEPT = {
    "installed_source": ("dealer_id id", "dealer_id number"),
    "claim": ("dealer_id id", "dealer_id number", "dealer_id idempotency_key"),
}
"""The new tables whose rows are never removed."""
ORIGIN = (
    "number account_id referral_id order_id line_id shipment_number replacement_number split_from_id "
    "model_number description family category ordered_on made_at"
).split()
"""Where an installed source came from: never changed."""
REPORTED = (
    "number account_id source_id order_id idempotency_key request_digest problem failed_on reported_on "
    "opened_by opened_at"
).split()
"""What a claim was opened with: never changed."""
ANSWER = "verdict answer answer_digest is_goodwill reason decided_by decided_at".split()
"""What a claim was decided by: never changed once it is there."""
OLD_KINDS = ("approval", "order", "cancellation", "return", "year_close", "services")
KINDS = (*OLD_KINDS, "claim")


def upgrade() -> None:
    """Create the tables with their triggers. What shipped before becomes installed sources by the worker."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    op.create_index("ix_quote_referral", "quote", ["dealer_id", "referral_id"], unique=False)
    _make_tables()
    _set_check("evidence", "kind", OLD_KINDS, KINDS)
    for table, keys in APPEND_ONLY.items():
        _hold(table, keys, is_sqlite)
    for table, keys in KEPT.items():
        _hold(table, keys, is_sqlite, is_kept=True)
    for name, table, event, condition in _rules("IS NOT" if is_sqlite else "IS DISTINCT FROM"):
        _guard(name, table, event, condition, is_sqlite)


def _rules(distinct: str) -> tuple[tuple[str, str, str, str], ...]:
    """Return (trigger name, table, event, condition): origins, reports and answers are fixed."""

    def changes(columns: list[str]) -> str:
        return " OR ".join(f"NEW.{column} {distinct} OLD.{column}" for column in columns)

    return (
        ("installed_source_fixed", "installed_source", "UPDATE", changes(ORIGIN)),
        ("claim_fixed", "claim", "UPDATE", changes(REPORTED)),
        ("claim_answer_fixed", "claim", "UPDATE", f"OLD.answer <> '' AND ({changes(ANSWER)})"),
    )


def _guard(name: str, table: str, event: str, condition: str, is_sqlite: bool) -> None:
    if is_sqlite:
        op.execute(
            f'CREATE TRIGGER {name} BEFORE {event} ON "{table}" WHEN {condition} '
            f"BEGIN SELECT RAISE(ABORT, 'immutable: {table}'); END"
        )
        return
    op.execute(
        f"CREATE FUNCTION guard_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN IF {condition} THEN RAISE EXCEPTION 'immutable: {table}' USING ERRCODE = 'restrict_violation'; "
        f"END IF; RETURN {'OLD' if event == 'DELETE' else 'NEW'}; END $$"
    )
    _always(name, table, f"BEFORE {event}", "ROW", f"guard_{name}")


def _make_tables() -> None:
    op.create_table(
        "term_reading",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reading", sa.DateTime(timezone=True), nullable=True),
        sa.Column("through_number", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_term_reading_dealer_id")),
        sa.PrimaryKeyConstraint("dealer_id", name=op.f("pk_term_reading")),
    )
    op.create_table(
        "warranty_term",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("family_key", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("months", sa.BigInteger(), nullable=False),
        sa.Column(
            "start_rule",
            sa.Enum(
                "shipped",
                "delivered",
                "commissioned",
                name="start_rule",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("cap_days", sa.BigInteger(), nullable=True),
        sa.Column("covers_parts", sa.Boolean(), nullable=False),
        sa.Column("covers_labor", sa.Boolean(), nullable=False),
        sa.Column("report_days", sa.BigInteger(), nullable=False),
        sa.Column("replacement_days", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Uuid(), nullable=True),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "cap_days IS NULL OR start_rule <> 'shipped'",
            name=op.f("ck_warranty_term_cap_only_after_shipping"),
        ),
        sa.CheckConstraint("cap_days BETWEEN 0 AND 3650", name=op.f("ck_warranty_term_cap_days_in_range")),
        sa.CheckConstraint("months BETWEEN 1 AND 600", name=op.f("ck_warranty_term_months_in_range")),
        sa.CheckConstraint(
            "replacement_days BETWEEN 0 AND 3650", name=op.f("ck_warranty_term_replacement_days_in_range")
        ),
        sa.CheckConstraint(
            "report_days BETWEEN 0 AND 3650", name=op.f("ck_warranty_term_report_days_in_range")
        ),
        sa.ForeignKeyConstraint(["set_by"], ["user.id"], name=op.f("fk_warranty_term_set_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_warranty_term")),
    )
    op.create_index("ix_warranty_term_family", "warranty_term", ["family_key", "valid_from"], unique=False)
    op.create_table(
        "site",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("added_by", sa.Uuid(), nullable=True),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("number > 0", name=op.f("ck_site_number_positive")),
        sa.ForeignKeyConstraint(["added_by"], ["user.id"], name=op.f("fk_site_added_by")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "referral_id"],
            ["referral.dealer_id", "referral.id"],
            name=op.f("fk_site_dealer_id_referral_id"),
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_site_dealer_id")),
        sa.PrimaryKeyConstraint("dealer_id", "id", name=op.f("pk_site")),
        sa.UniqueConstraint(
            "dealer_id", "referral_id", "number", name=op.f("uq_site_dealer_id_referral_id_number")
        ),
    )
    op.create_table(
        "installed_source",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("shipment_number", sa.BigInteger(), nullable=True),
        sa.Column("replacement_number", sa.BigInteger(), nullable=True),
        sa.Column("split_from_id", sa.Uuid(), nullable=True),
        sa.Column("model_number", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column(
            "category",
            sa.Enum(
                "light_source",
                "accessory",
                "control",
                "service",
                "other",
                name="category",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("ordered_on", sa.Date(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event_count", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column(
            "standing",
            sa.Enum(
                "shipped",
                "delivered",
                "commissioned",
                "replaced",
                "retired",
                "voided",
                name="standing",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("shipped_on", sa.Date(), nullable=True),
        sa.Column("delivered_on", sa.Date(), nullable=True),
        sa.Column("commissioned_on", sa.Date(), nullable=True),
        sa.Column("gone_on", sa.Date(), nullable=True),
        sa.Column("replaces_id", sa.Uuid(), nullable=True),
        sa.Column("starts_on", sa.Date(), nullable=True),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column(
            "lacking",
            sa.Enum(
                "terms",
                "shipped",
                "delivered",
                "commissioned",
                "replaces",
                name="lacking",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.CheckConstraint(
            "serial = '' OR quantity = 1", name=op.f("ck_installed_source_serial_is_of_one_unit")
        ),
        sa.CheckConstraint(
            "(shipment_number IS NULL) <> (replacement_number IS NULL)",
            name=op.f("ck_installed_source_shipped_or_replacing"),
        ),
        sa.CheckConstraint("quantity >= 0", name=op.f("ck_installed_source_quantity_not_negative")),
        sa.ForeignKeyConstraint(["account_id"], ["company.id"], name=op.f("fk_installed_source_account_id")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "order_id", "line_id"],
            ["order_line.dealer_id", "order_line.order_id", "order_line.line_id"],
            name=op.f("fk_installed_source_dealer_id_order_id_line_id"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "order_id", "replacement_number", "line_id"],
            [
                "replacement_line.dealer_id",
                "replacement_line.order_id",
                "replacement_line.replacement_number",
                "replacement_line.line_id",
            ],
            name=op.f("fk_installed_source_dealer_id_order_id_replacement_number_line_id"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "order_id", "shipment_number", "line_id"],
            [
                "shipment_line.dealer_id",
                "shipment_line.order_id",
                "shipment_line.shipment_number",
                "shipment_line.line_id",
            ],
            name=op.f("fk_installed_source_dealer_id_order_id_shipment_number_line_id"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "referral_id"],
            ["referral.dealer_id", "referral.id"],
            name=op.f("fk_installed_source_dealer_id_referral_id"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "replaces_id"],
            ["installed_source.dealer_id", "installed_source.id"],
            name=op.f("fk_installed_source_dealer_id_replaces_id"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "site_id"],
            ["site.dealer_id", "site.id"],
            name=op.f("fk_installed_source_dealer_id_site_id"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "split_from_id"],
            ["installed_source.dealer_id", "installed_source.id"],
            name=op.f("fk_installed_source_dealer_id_split_from_id"),
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_installed_source_dealer_id")),
        sa.PrimaryKeyConstraint("dealer_id", "id", name=op.f("pk_installed_source")),
        sa.UniqueConstraint("dealer_id", "number", name=op.f("uq_installed_source_dealer_id_number")),
    )
    op.create_index(
        "ix_installed_source_account_end",
        "installed_source",
        ["account_id", "ends_on", "dealer_id", "number"],
        unique=False,
    )
    op.create_index(
        "ix_installed_source_account_lacking", "installed_source", ["account_id", "lacking"], unique=False
    )
    op.create_index(
        "ix_installed_source_dealer_end", "installed_source", ["dealer_id", "ends_on", "number"], unique=False
    )
    op.create_index(
        "ix_installed_source_end", "installed_source", ["ends_on", "dealer_id", "number"], unique=False
    )
    op.create_index("ix_installed_source_lacking", "installed_source", ["lacking", "dealer_id"], unique=False)
    op.create_index(
        "ix_installed_source_order", "installed_source", ["dealer_id", "order_id", "line_id"], unique=False
    )
    op.create_index(
        "ix_installed_source_project",
        "installed_source",
        ["dealer_id", "referral_id", "site_id", "room", "number"],
        unique=False,
    )
    op.create_table(
        "claim",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("request_digest", sa.LargeBinary(32), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "open",
                "accepted",
                "refused",
                "fulfilled",
                "withdrawn",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("failed_on", sa.Date(), nullable=True),
        sa.Column("reported_on", sa.Date(), nullable=False),
        sa.Column("opened_by", sa.Uuid(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "verdict",
            sa.Enum(
                "covered",
                "not_covered",
                "undetermined",
                name="verdict",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("answer_digest", sa.LargeBinary(32), nullable=True),
        sa.Column("is_goodwill", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("replacement_number", sa.BigInteger(), nullable=True),
        sa.Column("new_source_id", sa.Uuid(), nullable=True),
        sa.Column("closing_words", sa.Text(), nullable=False),
        sa.Column("closed_by", sa.Uuid(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(answer = '') = (decided_at IS NULL)", name=op.f("ck_claim_decided_by_an_answer")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["company.id"], name=op.f("fk_claim_account_id")),
        sa.ForeignKeyConstraint(["closed_by"], ["user.id"], name=op.f("fk_claim_closed_by")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "new_source_id"],
            ["installed_source.dealer_id", "installed_source.id"],
            name=op.f("fk_claim_dealer_id_new_source_id"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "order_id", "replacement_number"],
            ["replacement.dealer_id", "replacement.order_id", "replacement.number"],
            name=op.f("fk_claim_dealer_id_order_id_replacement_number"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "source_id"],
            ["installed_source.dealer_id", "installed_source.id"],
            name=op.f("fk_claim_dealer_id_source_id"),
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_claim_dealer_id")),
        sa.ForeignKeyConstraint(["decided_by"], ["user.id"], name=op.f("fk_claim_decided_by")),
        sa.ForeignKeyConstraint(["opened_by"], ["user.id"], name=op.f("fk_claim_opened_by")),
        sa.PrimaryKeyConstraint("dealer_id", "id", name=op.f("pk_claim")),
        sa.UniqueConstraint("dealer_id", "idempotency_key", name=op.f("uq_claim_dealer_id_idempotency_key")),
        sa.UniqueConstraint("dealer_id", "number", name=op.f("uq_claim_dealer_id_number")),
    )
    op.create_index("ix_claim_account", "claim", ["account_id", "state", "dealer_id"], unique=False)
    op.create_index("ix_claim_dealer", "claim", ["dealer_id", "state"], unique=False)
    op.create_index(
        "uq_claim_live_source",
        "claim",
        ["dealer_id", "source_id"],
        unique=True,
        sqlite_where=sa.text("state IN ('open', 'accepted')"),
        postgresql_where=sa.text("state IN ('open', 'accepted')"),
    )
    op.create_table(
        "serial_number",
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_serial_number_dealer_id")),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_serial_number")),
    )
    op.create_index("ix_serial_number_source", "serial_number", ["dealer_id", "source_id"], unique=False)
    op.create_table(
        "serial_import",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(32), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("is_good_only", sa.Boolean(), nullable=False),
        sa.Column("row_count", sa.BigInteger(), nullable=False),
        sa.Column("walked_count", sa.BigInteger(), nullable=False),
        sa.Column("new_count", sa.BigInteger(), nullable=False),
        sa.Column("repeated_count", sa.BigInteger(), nullable=False),
        sa.Column("refused_count", sa.BigInteger(), nullable=False),
        sa.Column("started_by", sa.Uuid(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "new_count + repeated_count + refused_count = walked_count",
            name=op.f("ck_serial_import_counts_add_up_to_walked"),
        ),
        sa.CheckConstraint("walked_count <= row_count", name=op.f("ck_serial_import_walked_within_rows")),
        sa.ForeignKeyConstraint(["account_id"], ["company.id"], name=op.f("fk_serial_import_account_id")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "referral_id"],
            ["referral.dealer_id", "referral.id"],
            name=op.f("fk_serial_import_dealer_id_referral_id"),
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_serial_import_dealer_id")),
        sa.ForeignKeyConstraint(["started_by"], ["user.id"], name=op.f("fk_serial_import_started_by")),
        sa.PrimaryKeyConstraint("dealer_id", "id", name=op.f("pk_serial_import")),
        sa.UniqueConstraint(
            "dealer_id",
            "referral_id",
            "account_id",
            "sha256",
            name=op.f("uq_serial_import_dealer_id_referral_id_account_id_sha256"),
        ),
    )
    op.create_table(
        "source_event",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "shipped",
                "delivered",
                "commissioned",
                "moved",
                "identified",
                "split",
                "replaced",
                "replaces",
                "retired",
                "voided",
                "corrected",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("happened_on", sa.Date(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=True),
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("other_id", sa.Uuid(), nullable=True),
        sa.Column("voids", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("is_inherited", sa.Boolean(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.CheckConstraint(
            "(kind = 'corrected') = (voids IS NOT NULL)",
            name=op.f("ck_source_event_correction_names_an_event"),
        ),
        sa.CheckConstraint(
            "(kind = 'identified') = (serial <> '')", name=op.f("ck_source_event_identified_by_a_serial")
        ),
        sa.CheckConstraint(
            "(kind = 'moved') = (site_id IS NOT NULL)", name=op.f("ck_source_event_moved_to_a_site")
        ),
        sa.CheckConstraint("number > 0", name=op.f("ck_source_event_number_positive")),
        sa.CheckConstraint("quantity >= 0", name=op.f("ck_source_event_quantity_not_negative")),
        sa.CheckConstraint(
            "voids IS NULL OR voids < number", name=op.f("ck_source_event_correction_of_an_earlier_event")
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "other_id"],
            ["installed_source.dealer_id", "installed_source.id"],
            name=op.f("fk_source_event_dealer_id_other_id"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "site_id"],
            ["site.dealer_id", "site.id"],
            name=op.f("fk_source_event_dealer_id_site_id"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "source_id"],
            ["installed_source.dealer_id", "installed_source.id"],
            name=op.f("fk_source_event_dealer_id_source_id"),
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_source_event_dealer_id")),
        sa.ForeignKeyConstraint(["recorded_by"], ["user.id"], name=op.f("fk_source_event_recorded_by")),
        sa.PrimaryKeyConstraint("dealer_id", "source_id", "number", name=op.f("pk_source_event")),
    )


def _set_check(table: str, column: str, before: tuple[str, ...], after: tuple[str, ...]) -> None:
    """Let a column hold the values of `after`.

    SQLite cannot alter a CHECK, and building the table anew would lose its triggers and the keys into it:
    its text in the schema is changed, as SQLite's documentation of ALTER TABLE says for a CHECK.
    """
    bind = op.get_bind()
    old, new = (f"{column} IN ({', '.join(map(repr, values))})" for values in (before, after))
    if bind.dialect.name != "sqlite":
        op.drop_constraint(op.f(f"ck_{table}_{column}"), table, type_="check")
        op.create_check_constraint(op.f(f"ck_{table}_{column}"), table, new)
        return
    version = bind.execute(sa.text("PRAGMA schema_version")).scalar_one()
    op.execute("PRAGMA writable_schema = ON")
    changed = bind.execute(
        sa.text(
            "UPDATE sqlite_master SET sql = replace(sql, :before, :after)"
            " WHERE type = 'table' AND name = :table AND instr(sql, :before)"
        ),
        {"before": old, "after": new, "table": table},
    ).rowcount
    op.execute(f"PRAGMA schema_version = {version + 1}")
    op.execute("PRAGMA writable_schema = OFF")
    if changed != 1:
        raise RuntimeError(f'the table "{table}" does not hold the CHECK of its {column}')


def _hold(table: str, keys: tuple[str, ...], is_sqlite: bool, *, is_kept: bool = False) -> None:
    """The table's rows are never removed; nor changed, unless it is one whose rows are only kept."""
    if is_sqlite:
        for event in ("DELETE",) if is_kept else ("UPDATE", "DELETE"):
            op.execute(
                f'CREATE TRIGGER {table}_no_{event.lower()} BEFORE {event} ON "{table}" '
                f"BEGIN SELECT RAISE(ABORT, 'append_only: {table}'); END"
            )
        taken = " OR ".join(
            f'EXISTS (SELECT 1 FROM "{table}" WHERE '
            + " AND ".join(f'"{column}" = NEW."{column}"' for column in key.split())
            + ")"
            for key in keys
        )
        op.execute(
            f'CREATE TRIGGER {table}_no_replace BEFORE INSERT ON "{table}" WHEN {taken} '
            f"BEGIN SELECT RAISE(ABORT, 'append_only: {table}'); END"
        )
        return
    change, name = ("DELETE", "no_delete") if is_kept else ("UPDATE OR DELETE", "no_change")
    _always(f"{table}_{name}", table, f"BEFORE {change}", "ROW", "refuse_change")
    _always(f"{table}_no_truncate", table, "BEFORE TRUNCATE", "STATEMENT", "refuse_change")


def _always(name: str, table: str, event: str, each: str, function: str) -> None:
    op.execute(f'CREATE TRIGGER {name} {event} ON "{table}" FOR EACH {each} EXECUTE FUNCTION {function}()')
    op.execute(f'ALTER TABLE "{table}" ENABLE ALWAYS TRIGGER {name}')


def downgrade() -> None:
    """Drop them again. Refuses where a claim was decided (RuntimeError)."""
    bind = op.get_bind()
    is_sqlite = bind.dialect.name == "sqlite"
    if bind.execute(sa.text("SELECT 1 FROM evidence WHERE kind = 'claim' LIMIT 1")).first():
        raise RuntimeError("rows stand here that the older tables cannot hold: restore a backup instead")
    for name, table, _, _ in _rules("IS NOT"):
        op.execute(f"DROP TRIGGER {name}" if is_sqlite else f'DROP TRIGGER {name} ON "{table}"')
        if not is_sqlite:
            op.execute(f"DROP FUNCTION guard_{name}()")
    _set_check("evidence", "kind", KINDS, OLD_KINDS)
    op.drop_index("ix_quote_referral", table_name="quote")
    for table in (
        "source_event",
        "serial_number",
        "serial_import",
        "claim",
        "installed_source",
        "site",
        "warranty_term",
        "term_reading",
    ):
        op.drop_table(table)
