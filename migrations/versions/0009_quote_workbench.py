"""The quote workbench: remarks of both sides, offers for services, recalled prices, design files, replacements.

Revision 0009, after 0008.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

APPEND_ONLY = {
    "remark": ("dealer_id id",),
    "service_offer": ("dealer_id quote_id revision_number number",),
    "service_offer_line": ("dealer_id quote_id revision_number offer_number position",),
    "service_agreement": ("dealer_id quote_id revision_number",),
    "price_recall": ("id", "price_list_id model_number"),
    "recall_notice": ("dealer_id quote_id revision_number recall_id",),
    "expiry_reminder": ("dealer_id quote_id revision_number",),
    "replacement": ("dealer_id order_id number", "dealer_id idempotency_key"),
    "replacement_line": ("dealer_id order_id replacement_number line_id",),
}
"""The new tables that only grow, with the keys whose rows SQLite's INSERT OR REPLACE must not take away."""
OLD_KINDS = ("approval", "order", "cancellation", "return", "year_close")
KINDS = (*OLD_KINDS, "services")
REMARK = "dealer_id id quote_id revision_number line_id text made_by made_at".split()


def upgrade() -> None:
    """Create the tables with their triggers; what was asked for at lines becomes remarks."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    _make_tables()
    columns = ", ".join(REMARK)
    op.execute(f"INSERT INTO remark ({columns}, is_request) SELECT {columns}, true FROM line_remark")
    op.drop_table("line_remark")
    uuid = "CHAR(32)" if is_sqlite else "UUID"
    op.execute(
        f"ALTER TABLE approval ADD COLUMN on_behalf_of {uuid}"
        ' CONSTRAINT fk_approval_on_behalf_of REFERENCES "user" (id)'
    )
    op.execute('ALTER TABLE "order" ADD COLUMN wanted_on DATE')
    op.add_column("price_item", sa.Column("goes_with", sa.Text(), server_default="", nullable=False))
    _set_check("evidence", "kind", OLD_KINDS, KINDS)
    for table, keys in APPEND_ONLY.items():
        _hold(table, keys, is_sqlite)
    for name, table, event, condition in _rules("IS NOT" if is_sqlite else "IS DISTINCT FROM"):
        _guard(name, table, event, condition, is_sqlite)


def _rules(distinct: str) -> tuple[tuple[str, str, str, str], ...]:
    """Return (trigger name, table, event, condition): files go with a draft, an order's wanted day is fixed."""
    state = (
        "(SELECT state FROM revision WHERE dealer_id = {row}.dealer_id AND quote_id = {row}.quote_id "
        "AND number = {row}.revision_number) <> 'draft'"
    )
    return (
        ("order_wanted_fixed", "order", "UPDATE", f"NEW.wanted_on {distinct} OLD.wanted_on"),
        ("design_file_insert", "design_file", "INSERT", state.format(row="NEW")),
        ("design_file_update", "design_file", "UPDATE", "OLD.id = OLD.id"),
        ("design_file_delete", "design_file", "DELETE", state.format(row="OLD")),
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
        "ignored_hint",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("quote_id", sa.Uuid(), nullable=False),
        sa.Column("model_number", sa.Text(), nullable=False),
        sa.Column("need", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("ignored_by", sa.Uuid(), nullable=False),
        sa.Column("ignored_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["dealer_id", "quote_id"],
            ["quote.dealer_id", "quote.id"],
            name=op.f("fk_ignored_hint_dealer_id_quote_id"),
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_ignored_hint_dealer_id")),
        sa.ForeignKeyConstraint(["ignored_by"], ["user.id"], name=op.f("fk_ignored_hint_ignored_by")),
        sa.PrimaryKeyConstraint(
            "dealer_id", "quote_id", "model_number", "need", name=op.f("pk_ignored_hint")
        ),
    )
    op.create_table(
        "price_recall",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("price_list_id", sa.Uuid(), nullable=False),
        sa.Column("model_number", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("recalled_by", sa.Uuid(), nullable=False),
        sa.Column("recalled_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["price_list_id", "model_number"],
            ["price_item.price_list_id", "price_item.model_number"],
            name=op.f("fk_price_recall_price_list_id_model_number"),
        ),
        sa.ForeignKeyConstraint(
            ["price_list_id"], ["price_list.id"], name=op.f("fk_price_recall_price_list_id")
        ),
        sa.ForeignKeyConstraint(["recalled_by"], ["user.id"], name=op.f("fk_price_recall_recalled_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_recall")),
        sa.UniqueConstraint(
            "price_list_id", "model_number", name=op.f("uq_price_recall_price_list_id_model_number")
        ),
    )
    op.create_table(
        "design_file",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("quote_id", sa.Uuid(), nullable=False),
        sa.Column("revision_number", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("upload_id", sa.Uuid(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("added_by", sa.Uuid(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id", "upload_id"],
            ["upload.company_id", "upload.id"],
            name=op.f("fk_design_file_account_id_upload_id"),
        ),
        sa.ForeignKeyConstraint(["account_id"], ["company.id"], name=op.f("fk_design_file_account_id")),
        sa.ForeignKeyConstraint(["added_by"], ["user.id"], name=op.f("fk_design_file_added_by")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "quote_id", "revision_number"],
            ["revision.dealer_id", "revision.quote_id", "revision.number"],
            name=op.f("fk_design_file_dealer_id_quote_id_revision_number"),
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_design_file_dealer_id")),
        sa.PrimaryKeyConstraint("dealer_id", "id", name=op.f("pk_design_file")),
    )
    op.create_index(
        "ix_design_file_revision", "design_file", ["dealer_id", "quote_id", "revision_number"], unique=False
    )
    op.create_table(
        "expiry_reminder",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("quote_id", sa.Uuid(), nullable=False),
        sa.Column("revision_number", sa.BigInteger(), nullable=False),
        sa.Column("reminded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["dealer_id", "quote_id", "revision_number"],
            ["revision.dealer_id", "revision.quote_id", "revision.number"],
            name=op.f("fk_expiry_reminder_dealer_id_quote_id_revision_number"),
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_expiry_reminder_dealer_id")),
        sa.PrimaryKeyConstraint("dealer_id", "quote_id", "revision_number", name=op.f("pk_expiry_reminder")),
    )
    op.create_table(
        "recall_notice",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("quote_id", sa.Uuid(), nullable=False),
        sa.Column("revision_number", sa.BigInteger(), nullable=False),
        sa.Column("recall_id", sa.Uuid(), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["dealer_id", "quote_id", "revision_number"],
            ["revision.dealer_id", "revision.quote_id", "revision.number"],
            name=op.f("fk_recall_notice_dealer_id_quote_id_revision_number"),
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_recall_notice_dealer_id")),
        sa.ForeignKeyConstraint(["recall_id"], ["price_recall.id"], name=op.f("fk_recall_notice_recall_id")),
        sa.PrimaryKeyConstraint(
            "dealer_id", "quote_id", "revision_number", "recall_id", name=op.f("pk_recall_notice")
        ),
    )
    op.create_table(
        "service_offer",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("quote_id", sa.Uuid(), nullable=False),
        sa.Column("revision_number", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column(
            "side",
            sa.Enum("account", "dealer", name="side", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("total_cents", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("number > 0", name=op.f("ck_service_offer_number_positive")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "quote_id", "revision_number"],
            ["revision.dealer_id", "revision.quote_id", "revision.number"],
            name=op.f("fk_service_offer_dealer_id_quote_id_revision_number"),
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_service_offer_dealer_id")),
        sa.ForeignKeyConstraint(["made_by"], ["user.id"], name=op.f("fk_service_offer_made_by")),
        sa.PrimaryKeyConstraint(
            "dealer_id", "quote_id", "revision_number", "number", name=op.f("pk_service_offer")
        ),
    )
    op.create_table(
        "remark",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("quote_id", sa.Uuid(), nullable=False),
        sa.Column("revision_number", sa.BigInteger(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=True),
        sa.Column("is_request", sa.Boolean(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["dealer_id", "quote_id", "revision_number", "line_id"],
            [
                "revision_line.dealer_id",
                "revision_line.quote_id",
                "revision_line.revision_number",
                "revision_line.line_id",
            ],
            name=op.f("fk_remark_dealer_id_quote_id_revision_number_line_id"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "quote_id", "revision_number"],
            ["revision.dealer_id", "revision.quote_id", "revision.number"],
            name=op.f("fk_remark_dealer_id_quote_id_revision_number"),
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_remark_dealer_id")),
        sa.ForeignKeyConstraint(["made_by"], ["user.id"], name=op.f("fk_remark_made_by")),
        sa.PrimaryKeyConstraint("dealer_id", "id", name=op.f("pk_remark")),
    )
    op.create_index("ix_remark_quote", "remark", ["dealer_id", "quote_id", "revision_number"], unique=False)
    op.create_table(
        "service_agreement",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("quote_id", sa.Uuid(), nullable=False),
        sa.Column("revision_number", sa.BigInteger(), nullable=False),
        sa.Column("offer_number", sa.BigInteger(), nullable=False),
        sa.Column(
            "side",
            sa.Enum("account", "dealer", name="side", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("agreed_by", sa.Uuid(), nullable=False),
        sa.Column("agreed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["agreed_by"], ["user.id"], name=op.f("fk_service_agreement_agreed_by")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "quote_id", "revision_number", "offer_number"],
            [
                "service_offer.dealer_id",
                "service_offer.quote_id",
                "service_offer.revision_number",
                "service_offer.number",
            ],
            name=op.f("fk_service_agreement_dealer_id_quote_id_revision_number_offer_number"),
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_service_agreement_dealer_id")),
        sa.PrimaryKeyConstraint(
            "dealer_id", "quote_id", "revision_number", name=op.f("pk_service_agreement")
        ),
    )
    op.create_table(
        "service_offer_line",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("quote_id", sa.Uuid(), nullable=False),
        sa.Column("revision_number", sa.BigInteger(), nullable=False),
        sa.Column("offer_number", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "design",
                "pre_wire",
                "install",
                "commissioning",
                "programming",
                "other",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_cents >= 0", name=op.f("ck_service_offer_line_amount_not_negative")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "quote_id", "revision_number", "offer_number"],
            [
                "service_offer.dealer_id",
                "service_offer.quote_id",
                "service_offer.revision_number",
                "service_offer.number",
            ],
            name=op.f("fk_service_offer_line_dealer_id_quote_id_revision_number_offer_number"),
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_service_offer_line_dealer_id")),
        sa.PrimaryKeyConstraint(
            "dealer_id",
            "quote_id",
            "revision_number",
            "offer_number",
            "position",
            name=op.f("pk_service_offer_line"),
        ),
    )
    op.create_table(
        "replacement",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("request_digest", sa.LargeBinary(32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("failed_on", sa.Date(), nullable=True),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("ordered_by", sa.Uuid(), nullable=False),
        sa.Column("ordered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ordered_on", sa.Date(), nullable=False),
        sa.CheckConstraint("number > 0", name=op.f("ck_replacement_number_positive")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "order_id"],
            ["order.dealer_id", "order.id"],
            name=op.f("fk_replacement_dealer_id_order_id"),
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_replacement_dealer_id")),
        sa.ForeignKeyConstraint(["ordered_by"], ["user.id"], name=op.f("fk_replacement_ordered_by")),
        sa.PrimaryKeyConstraint("dealer_id", "order_id", "number", name=op.f("pk_replacement")),
        sa.UniqueConstraint(
            "dealer_id", "idempotency_key", name=op.f("uq_replacement_dealer_id_idempotency_key")
        ),
    )
    op.create_table(
        "replacement_line",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("replacement_number", sa.BigInteger(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_replacement_line_quantity_positive")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "order_id", "line_id"],
            ["order_line.dealer_id", "order_line.order_id", "order_line.line_id"],
            name=op.f("fk_replacement_line_dealer_id_order_id_line_id"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "order_id", "replacement_number"],
            ["replacement.dealer_id", "replacement.order_id", "replacement.number"],
            name=op.f("fk_replacement_line_dealer_id_order_id_replacement_number"),
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_replacement_line_dealer_id")),
        sa.PrimaryKeyConstraint(
            "dealer_id", "order_id", "replacement_number", "line_id", name=op.f("pk_replacement_line")
        ),
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
    """Drop them again. Refuses where services were agreed apart or a remark is no request (RuntimeError)."""
    bind = op.get_bind()
    is_sqlite = bind.dialect.name == "sqlite"
    for question in (
        "SELECT 1 FROM evidence WHERE kind = 'services' LIMIT 1",
        "SELECT 1 FROM remark WHERE line_id IS NULL OR NOT is_request LIMIT 1",
        'SELECT 1 FROM "order" WHERE wanted_on IS NOT NULL LIMIT 1',
    ):
        if bind.execute(sa.text(question)).first():
            raise RuntimeError("rows stand here that the older tables cannot hold: restore a backup instead")
    for name, table, _, _ in _rules("IS NOT"):
        op.execute(f"DROP TRIGGER {name}" if is_sqlite else f'DROP TRIGGER {name} ON "{table}"')
        if not is_sqlite:
            op.execute(f"DROP FUNCTION guard_{name}()")
    _set_check("evidence", "kind", KINDS, OLD_KINDS)
    op.drop_column("price_item", "goes_with")
    op.drop_column("order", "wanted_on")
    op.drop_column("approval", "on_behalf_of")
    op.create_table(
        "line_remark",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("quote_id", sa.Uuid(), nullable=False),
        sa.Column("revision_number", sa.BigInteger(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["dealer_id", "quote_id", "revision_number", "line_id"],
            [
                "revision_line.dealer_id",
                "revision_line.quote_id",
                "revision_line.revision_number",
                "revision_line.line_id",
            ],
            name=op.f("fk_line_remark_dealer_id_quote_id_revision_number_line_id"),
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_line_remark_dealer_id")),
        sa.ForeignKeyConstraint(["made_by"], ["user.id"], name=op.f("fk_line_remark_made_by")),
        sa.PrimaryKeyConstraint("dealer_id", "id", name=op.f("pk_line_remark")),
    )
    columns = ", ".join(REMARK)
    op.execute(f"INSERT INTO line_remark ({columns}) SELECT {columns} FROM remark")
    _hold("line_remark", ("dealer_id id",), is_sqlite)
    for table in (
        "replacement_line",
        "replacement",
        "service_agreement",
        "service_offer_line",
        "service_offer",
        "remark",
        "recall_notice",
        "expiry_reminder",
        "price_recall",
        "design_file",
        "ignored_hint",
    ):
        op.drop_table(table)
