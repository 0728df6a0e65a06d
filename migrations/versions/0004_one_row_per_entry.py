"""One row per ledger entry, closing of years, disputes, evidence, checkpoints, imports; REPLACE is refused.

Revision 0004, after 0003.

An entry and its two postings become one row: the amount stands once, with its place in the dealer's account
and in the issuance account. Sequences, balances and digests stay what they were.
"""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ACCOUNT_KINDS = ("sales_credit", "other_purchases", "issuance")
ENTRY_KINDS = (
    "order", "cancellation", "return", "adjustment", "reversal", "transfer", "other_purchase", "opening_credit",
)  # fmt: skip
EVIDENCE_KINDS = ("approval", "order", "cancellation", "return", "year_close")
OUTCOMES = ("upheld", "dismissed", "withdrawn")
CHAIN_START = "0" * 64

KEYS = {
    "audit_event": ("company_id id",),
    "setting": ("id",),
    "level_set": ("level_year version",),
    "level": ("level_year version rank", "level_year version name"),
    "price_list": ("id", "version"),
    "price_item": ("price_list_id model_number",),
    "line_remark": ("dealer_id id",),
    "approval": ("dealer_id quote_id revision_number",),
    "order_line": ("dealer_id order_id line_id",),
    "cancellation": ("dealer_id order_id number", "dealer_id idempotency_key"),
    "cancellation_line": ("dealer_id order_id cancellation_number line_id",),
    "order": ("dealer_id id", "dealer_id idempotency_key", "dealer_id number"),
    "revision": ("dealer_id quote_id number",),
    "quote": ("dealer_id id", "dealer_id number"),
    "referral": ("dealer_id id", "dealer_id number"),
    "ledger_account": ("dealer_id program_year kind",),
    "ledger_entry": (
        "dealer_id id",
        "dealer_id idempotency_key",
        "dealer_id program_year account_kind sequence",
        "dealer_id program_year issuance_sequence",
    ),
    "year_closing": ("program_year",),
    "year_close": ("dealer_id program_year",),
    "dispute": ("dealer_id number", "dealer_id idempotency_key"),
    "dispute_answer": ("dealer_id number",),
    "evidence_head": ("dealer_id",),
    "evidence": ("dealer_id sequence", "dealer_id kind subject"),
    "checkpoint": ("number",),
    "credit_import": ("id", "sha256"),
}
"""Keys whose rows SQLite's INSERT OR REPLACE must not take away."""
NEW_APPEND_ONLY = ("ledger_entry", "year_close", "dispute", "dispute_answer", "evidence", "checkpoint")
NEW_KEPT = ("ledger_account", "year_closing", "evidence_head", "credit_import")

PREVIOUS = (
    "(NEW.sequence = 1 AND NEW.balance_cents = NEW.amount_cents OR EXISTS (SELECT 1 FROM ledger_entry AS p"
    " WHERE p.dealer_id = NEW.dealer_id AND p.program_year = NEW.program_year"
    " AND p.account_kind = NEW.account_kind AND p.sequence = NEW.sequence - 1"
    " AND p.balance_cents + NEW.amount_cents = NEW.balance_cents AND p.posted_at <= NEW.posted_at))"
    " AND (NEW.issuance_sequence = 1 AND NEW.issuance_balance_cents = -NEW.amount_cents"
    " OR EXISTS (SELECT 1 FROM ledger_entry AS p"
    " WHERE p.dealer_id = NEW.dealer_id AND p.program_year = NEW.program_year"
    " AND p.issuance_sequence = NEW.issuance_sequence - 1"
    " AND p.issuance_balance_cents - NEW.amount_cents = NEW.issuance_balance_cents"
    " AND p.posted_at <= NEW.posted_at))"
)
OPEN = (
    "EXISTS (SELECT 1 FROM ledger_account AS a WHERE a.dealer_id = NEW.dealer_id"
    " AND a.program_year = NEW.program_year AND a.kind = NEW.account_kind AND a.closed_at IS NULL)"
)
NEGATION = (
    "(NEW.kind <> 'reversal' OR EXISTS (SELECT 1 FROM ledger_entry AS o WHERE o.dealer_id = NEW.dealer_id"
    " AND o.id = NEW.related_entry_id AND o.kind <> 'reversal' AND o.amount_cents = -NEW.amount_cents"
    " AND o.effective_on <= NEW.effective_on))"
)
HEAD_ENTRY = (
    "EXISTS (SELECT 1 FROM ledger_entry AS e WHERE e.dealer_id = NEW.dealer_id"
    " AND e.program_year = NEW.program_year AND e.posted_at = NEW.posted_at AND ("
    "NEW.kind <> 'issuance' AND e.account_kind = NEW.kind AND e.sequence = NEW.sequence"
    " AND e.balance_cents = NEW.balance_cents AND e.digest = NEW.digest"
    " OR NEW.kind = 'issuance' AND e.issuance_sequence = NEW.sequence"
    " AND e.issuance_balance_cents = NEW.balance_cents AND e.issuance_digest = NEW.digest))"
)


def _rules(distinct: str) -> list[tuple[str, str, str, str, str]]:
    """Return (trigger, table, event, condition under which it refuses, what it says)."""

    def differs(columns: str) -> str:
        return " OR ".join(f"NEW.{column} {distinct} OLD.{column}" for column in columns.split())

    return [
        (
            "ledger_entry_place",
            "ledger_entry",
            "INSERT",
            f"NOT ({OPEN}) OR NOT ({PREVIOUS}) OR NOT {NEGATION}",
            "not_next: ledger_entry",
        ),
        (
            "ledger_account_head",
            "ledger_account",
            "UPDATE",
            f"{differs('dealer_id program_year kind currency opened_at')} OR OLD.closed_at IS NOT NULL"
            " OR NEW.sequence < OLD.sequence"
            f" OR NEW.sequence = OLD.sequence AND ({differs('balance_cents digest posted_at')})"
            f" OR NEW.sequence > OLD.sequence AND (NEW.closed_at IS NOT NULL OR NOT {HEAD_ENTRY})",
            "immutable: ledger_account",
        ),
        (
            "ledger_account_start",
            "ledger_account",
            "INSERT",
            "NEW.sequence <> 0 OR NEW.balance_cents <> 0 OR NEW.posted_at IS NOT NULL OR NEW.closed_at IS NOT NULL",
            "immutable: ledger_account",
        ),
        (
            "evidence_place",
            "evidence",
            "INSERT",
            "NEW.sequence <> 1 AND NOT EXISTS (SELECT 1 FROM evidence AS p WHERE p.dealer_id = NEW.dealer_id"
            " AND p.sequence = NEW.sequence - 1)",
            "not_next: evidence",
        ),
        (
            "evidence_head_moves",
            "evidence_head",
            "UPDATE",
            f"{differs('dealer_id')} OR NEW.sequence <= OLD.sequence OR NOT EXISTS (SELECT 1 FROM evidence AS e"
            " WHERE e.dealer_id = NEW.dealer_id AND e.sequence = NEW.sequence AND e.digest = NEW.digest)",
            "immutable: evidence_head",
        ),
        (
            "year_closing_fixed",
            "year_closing",
            "UPDATE",
            f"{differs('program_year level_version reason started_by started_at')} OR OLD.finished_at IS NOT NULL",
            "immutable: year_closing",
        ),
        (
            "credit_import_fixed",
            "credit_import",
            "UPDATE",
            f"{differs('id sha256 kind filename row_count reason started_by started_at')}"
            " OR NEW.posted_count < OLD.posted_count OR NEW.repeated_count < OLD.repeated_count"
            " OR OLD.finished_at IS NOT NULL",
            "immutable: credit_import",
        ),
        (
            "checkpoint_next",
            "checkpoint",
            "INSERT",
            "NEW.number <> 1 AND NOT EXISTS (SELECT 1 FROM checkpoint AS p WHERE p.number = NEW.number - 1"
            " AND p.digest = NEW.previous_digest)",
            "not_next: checkpoint",
        ),
    ]


VIEW = (
    "CREATE VIEW ledger_posting AS SELECT dealer_id, program_year, account_kind, sequence, id AS entry_id,"
    " 1 AS side, amount_cents, balance_cents, digest FROM ledger_entry UNION ALL"
    " SELECT dealer_id, program_year, 'issuance', issuance_sequence, id, -1, -amount_cents,"
    " issuance_balance_cents, issuance_digest FROM ledger_entry"
)


def upgrade() -> None:
    """Rebuild accounts and entries, make the new tables and triggers, and bear witness to what there is."""
    if op.get_bind().dialect.name == "sqlite":
        _rebuild_sqlite()
    else:
        _rebuild_postgresql()
    op.create_index(
        "uq_ledger_entry_reversal",
        "ledger_entry",
        ["dealer_id", "related_entry_id"],
        unique=True,
        sqlite_where=sa.text("kind = 'reversal'"),
        postgresql_where=sa.text("kind = 'reversal'"),
    )
    op.execute(VIEW)
    _make_tables()
    _bear_witness()
    if op.get_bind().dialect.name == "sqlite":
        _triggers_sqlite()
    else:
        _triggers_postgresql()


# accounts and entries ---------------------------------------------------------------------------


def _choice(name: str, values: tuple[str, ...]) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def _rebuild_sqlite() -> None:
    op.create_table(
        "ledger_account_new",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("program_year", sa.SmallInteger(), nullable=False),
        sa.Column("kind", _choice("kind", ACCOUNT_KINDS), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("balance_cents", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.CheckConstraint("sequence >= 0", name=op.f("ck_ledger_account_sequence_not_negative")),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_ledger_account_dealer_id")),
        sa.PrimaryKeyConstraint("dealer_id", "program_year", "kind", name=op.f("pk_ledger_account")),
    )
    op.create_table(
        "ledger_entry_new",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("kind", _choice("kind", ENTRY_KINDS), nullable=False),
        sa.Column("program_year", sa.SmallInteger(), nullable=False),
        sa.Column("account_kind", _choice("account_kind", ACCOUNT_KINDS), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_digest", sa.LargeBinary(32), nullable=False),
        sa.Column("memo", sa.Text(), nullable=False),
        sa.Column("related_entry_id", sa.Uuid(), nullable=True),
        sa.Column("digest_version", sa.SmallInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("balance_cents", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("issuance_sequence", sa.BigInteger(), nullable=False),
        sa.Column("issuance_balance_cents", sa.BigInteger(), nullable=False),
        sa.Column("issuance_digest", sa.LargeBinary(32), nullable=False),
        sa.CheckConstraint("amount_cents <> 0", name=op.f("ck_ledger_entry_amount_not_zero")),
        sa.CheckConstraint("account_kind <> 'issuance'", name=op.f("ck_ledger_entry_account_is_dealers")),
        sa.CheckConstraint(
            "kind <> 'reversal' OR related_entry_id IS NOT NULL",
            name=op.f("ck_ledger_entry_reversal_of_something"),
        ),
        sa.ForeignKeyConstraint(["actor_id"], ["user.id"], name=op.f("fk_ledger_entry_actor_id")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "related_entry_id"],
            ["ledger_entry.dealer_id", "ledger_entry.id"],
            name=op.f("fk_ledger_entry_dealer_id_related_entry_id"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "program_year", "account_kind"],
            ["ledger_account.dealer_id", "ledger_account.program_year", "ledger_account.kind"],
            name=op.f("fk_ledger_entry_dealer_id_program_year_account_kind"),
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_ledger_entry_dealer_id")),
        sa.PrimaryKeyConstraint("dealer_id", "id", name=op.f("pk_ledger_entry")),
        sa.UniqueConstraint(
            "dealer_id", "idempotency_key", name=op.f("uq_ledger_entry_dealer_id_idempotency_key")
        ),
        sa.UniqueConstraint(
            "dealer_id",
            "program_year",
            "account_kind",
            "sequence",
            name=op.f("uq_ledger_entry_dealer_id_program_year_account_kind_sequence"),
        ),
        sa.UniqueConstraint(
            "dealer_id",
            "program_year",
            "issuance_sequence",
            name=op.f("uq_ledger_entry_dealer_id_program_year_issuance_sequence"),
        ),
    )
    bind = op.get_bind()
    accounts = bind.execute(
        sa.text(
            "SELECT dealer_id, program_year, kind, currency, opened_at, sequence, balance_cents, digest,"
            " (SELECT max(e.posted_at) FROM ledger_posting AS p JOIN ledger_entry AS e"
            " ON e.dealer_id = p.dealer_id AND e.id = p.entry_id WHERE p.dealer_id = a.dealer_id"
            " AND p.program_year = a.program_year AND p.account_kind = a.kind) AS posted_at"
            " FROM ledger_account AS a"
        )
    ).mappings()
    _copy(
        "ledger_account_new",
        "dealer_id program_year kind currency opened_at posted_at sequence balance_cents digest",
        [{**row, "digest": bytes.fromhex(row["digest"])} for row in accounts],
    )
    entries = bind.execute(
        sa.text(
            "SELECT e.dealer_id, e.id, e.idempotency_key, e.kind, p.program_year, p.account_kind, e.amount_cents,"
            " e.effective_on, e.posted_at, e.actor_id, e.source, e.source_digest, e.memo, e.related_entry_id,"
            " e.digest_version, p.sequence, p.balance_cents, p.digest, i.sequence AS issuance_sequence,"
            " i.balance_cents AS issuance_balance_cents, i.digest AS issuance_digest FROM ledger_entry AS e"
            " JOIN ledger_posting AS p ON p.dealer_id = e.dealer_id AND p.entry_id = e.id AND p.side = 1"
            " JOIN ledger_posting AS i ON i.dealer_id = e.dealer_id AND i.entry_id = e.id AND i.side = -1"
        )
    ).mappings()
    digests = ("source_digest", "digest", "issuance_digest")
    _copy(
        "ledger_entry_new",
        "dealer_id id idempotency_key kind program_year account_kind amount_cents effective_on posted_at actor_id"
        " source source_digest memo related_entry_id digest_version sequence balance_cents digest"
        " issuance_sequence issuance_balance_cents issuance_digest",
        [row | {name: bytes.fromhex(row[name]) for name in digests} for row in map(dict, entries)],
    )
    for table in ("ledger_posting", "ledger_entry", "ledger_account"):
        op.drop_table(table)
    op.rename_table("ledger_account_new", "ledger_account")
    op.rename_table("ledger_entry_new", "ledger_entry")


def _copy(table: str, columns: str, rows: list[dict[str, object]]) -> None:
    names = columns.split()
    if rows:
        op.get_bind().execute(
            sa.text(
                f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(f':{name}' for name in names)})"
            ),
            rows,
        )


def _rebuild_postgresql() -> None:
    for statement in (
        "DROP TRIGGER ledger_entry_no_change ON ledger_entry",
        "DROP TRIGGER ledger_account_head ON ledger_account",
        "DROP FUNCTION guard_ledger_account_head()",
        "ALTER TABLE ledger_entry ADD COLUMN program_year smallint, ADD COLUMN account_kind varchar(32),"
        " ADD COLUMN sequence bigint, ADD COLUMN balance_cents bigint, ADD COLUMN issuance_sequence bigint,"
        " ADD COLUMN issuance_balance_cents bigint, ADD COLUMN issuance_digest bytea,"
        " ALTER COLUMN source_digest TYPE bytea USING decode(source_digest, 'hex'),"
        " ALTER COLUMN digest TYPE bytea USING decode(digest, 'hex'),"
        " ALTER COLUMN digest_version TYPE smallint",
        "UPDATE ledger_entry AS e SET program_year = p.program_year, account_kind = p.account_kind,"
        " sequence = p.sequence, balance_cents = p.balance_cents, digest = decode(p.digest, 'hex'),"
        " issuance_sequence = i.sequence, issuance_balance_cents = i.balance_cents,"
        " issuance_digest = decode(i.digest, 'hex') FROM ledger_posting AS p, ledger_posting AS i"
        " WHERE p.dealer_id = e.dealer_id AND p.entry_id = e.id AND p.side = 1"
        " AND i.dealer_id = e.dealer_id AND i.entry_id = e.id AND i.side = -1",
        "ALTER TABLE ledger_account ADD COLUMN closed_at timestamptz, ADD COLUMN posted_at timestamptz",
        "UPDATE ledger_account AS a SET posted_at = (SELECT max(e.posted_at) FROM ledger_entry AS e"
        " WHERE e.dealer_id = a.dealer_id AND e.program_year = a.program_year"
        " AND (a.kind = 'issuance' OR e.account_kind = a.kind))",
        "DROP TABLE ledger_posting",
        "ALTER TABLE ledger_account ALTER COLUMN program_year TYPE smallint,"
        " ALTER COLUMN digest TYPE bytea USING decode(digest, 'hex')",
        "ALTER TABLE ledger_entry ALTER COLUMN program_year SET NOT NULL, ALTER COLUMN account_kind SET NOT NULL,"
        " ALTER COLUMN sequence SET NOT NULL, ALTER COLUMN balance_cents SET NOT NULL,"
        " ALTER COLUMN issuance_sequence SET NOT NULL, ALTER COLUMN issuance_balance_cents SET NOT NULL,"
        " ALTER COLUMN issuance_digest SET NOT NULL",
        "ALTER TABLE ledger_entry DROP CONSTRAINT uq_ledger_entry_dealer_id_id_amount_cents,"
        " DROP CONSTRAINT ck_ledger_entry_kind",
    ):
        op.execute(statement)
    op.create_check_constraint(op.f("ck_ledger_entry_kind"), "ledger_entry", _in("kind", ENTRY_KINDS))
    op.create_check_constraint(
        op.f("ck_ledger_entry_account_kind"), "ledger_entry", _in("account_kind", ACCOUNT_KINDS)
    )
    op.create_check_constraint(
        op.f("ck_ledger_entry_account_is_dealers"), "ledger_entry", "account_kind <> 'issuance'"
    )
    op.create_check_constraint(
        op.f("ck_ledger_entry_reversal_of_something"),
        "ledger_entry",
        "kind <> 'reversal' OR related_entry_id IS NOT NULL",
    )
    op.create_foreign_key(
        op.f("fk_ledger_entry_dealer_id_program_year_account_kind"),
        "ledger_entry",
        "ledger_account",
        ["dealer_id", "program_year", "account_kind"],
        ["dealer_id", "program_year", "kind"],
    )
    op.create_unique_constraint(
        op.f("uq_ledger_entry_dealer_id_program_year_account_kind_sequence"),
        "ledger_entry",
        ["dealer_id", "program_year", "account_kind", "sequence"],
    )
    op.create_unique_constraint(
        op.f("uq_ledger_entry_dealer_id_program_year_issuance_sequence"),
        "ledger_entry",
        ["dealer_id", "program_year", "issuance_sequence"],
    )


def _in(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


# new tables -------------------------------------------------------------------------------------


def _make_tables() -> None:
    op.create_table(
        "year_closing",
        sa.Column("program_year", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("level_version", sa.BigInteger(), nullable=False),
        sa.Column("open_items", sa.JSON(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("started_by", sa.Uuid(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["started_by"], ["user.id"], name=op.f("fk_year_closing_started_by")),
        sa.PrimaryKeyConstraint("program_year", name=op.f("pk_year_closing")),
    )
    op.create_table(
        "year_close",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("program_year", sa.SmallInteger(), nullable=False),
        sa.Column("dealer_code", sa.Text(), nullable=False),
        sa.Column("dealer_name", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("sales_credit_cents", sa.BigInteger(), nullable=False),
        sa.Column("other_purchases_cents", sa.BigInteger(), nullable=False),
        sa.Column("total_cents", sa.BigInteger(), nullable=False),
        sa.Column("level_year", sa.SmallInteger(), nullable=False),
        sa.Column("level_version", sa.BigInteger(), nullable=False),
        sa.Column("level_name", sa.Text(), nullable=False),
        sa.Column("threshold_cents", sa.BigInteger(), nullable=False),
        sa.Column("heads", sa.JSON(), nullable=False),
        sa.Column("closed_by", sa.Uuid(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.CheckConstraint(
            "total_cents = sales_credit_cents + other_purchases_cents",
            name=op.f("ck_year_close_total_is_sum"),
        ),
        sa.ForeignKeyConstraint(["closed_by"], ["user.id"], name=op.f("fk_year_close_closed_by")),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_year_close_dealer_id")),
        sa.ForeignKeyConstraint(
            ["program_year"], ["year_closing.program_year"], name=op.f("fk_year_close_program_year")
        ),
        sa.PrimaryKeyConstraint("dealer_id", "program_year", name=op.f("pk_year_close")),
    )
    op.create_table(
        "dispute",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("claimed_cents", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("opened_by", sa.Uuid(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column("answer_due_on", sa.Date(), nullable=False),
        sa.CheckConstraint("answer_due_on >= opened_on", name=op.f("ck_dispute_due_after_opened")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "entry_id"],
            ["ledger_entry.dealer_id", "ledger_entry.id"],
            name=op.f("fk_dispute_dealer_id_entry_id"),
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_dispute_dealer_id")),
        sa.ForeignKeyConstraint(["opened_by"], ["user.id"], name=op.f("fk_dispute_opened_by")),
        sa.PrimaryKeyConstraint("dealer_id", "number", name=op.f("pk_dispute")),
        sa.UniqueConstraint(
            "dealer_id", "idempotency_key", name=op.f("uq_dispute_dealer_id_idempotency_key")
        ),
    )
    op.create_table(
        "dispute_answer",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("outcome", _choice("outcome", OUTCOMES), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=True),
        sa.Column("answered_by", sa.Uuid(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_on", sa.Date(), nullable=False),
        sa.CheckConstraint(
            "outcome = 'upheld' OR entry_id IS NULL", name=op.f("ck_dispute_answer_entry_only_where_upheld")
        ),
        sa.ForeignKeyConstraint(["answered_by"], ["user.id"], name=op.f("fk_dispute_answer_answered_by")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "entry_id"],
            ["ledger_entry.dealer_id", "ledger_entry.id"],
            name=op.f("fk_dispute_answer_dealer_id_entry_id"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "number"],
            ["dispute.dealer_id", "dispute.number"],
            name=op.f("fk_dispute_answer_dealer_id_number"),
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_dispute_answer_dealer_id")),
        sa.PrimaryKeyConstraint("dealer_id", "number", name=op.f("pk_dispute_answer")),
    )
    op.create_table(
        "evidence_head",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_evidence_head_dealer_id")),
        sa.PrimaryKeyConstraint("dealer_id", name=op.f("pk_evidence_head")),
    )
    op.create_table(
        "evidence",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("kind", _choice("kind", EVIDENCE_KINDS), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("content_digest", sa.LargeBinary(32), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.CheckConstraint("sequence > 0", name=op.f("ck_evidence_sequence_positive")),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_evidence_dealer_id")),
        sa.ForeignKeyConstraint(
            ["dealer_id"], ["evidence_head.dealer_id"], name=op.f("fk_evidence_dealer_id_head")
        ),
        sa.PrimaryKeyConstraint("dealer_id", "sequence", name=op.f("pk_evidence")),
        sa.UniqueConstraint("dealer_id", "kind", "subject", name=op.f("uq_evidence_dealer_id_kind_subject")),
    )
    op.create_table(
        "checkpoint",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("previous_digest", sa.LargeBinary(32), nullable=False),
        sa.Column("heads_digest", sa.LargeBinary(32), nullable=False),
        sa.Column("accounts", sa.BigInteger(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("evidence", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_checkpoint")),
    )
    op.create_table(
        "credit_import",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(32), nullable=False),
        sa.Column("kind", _choice("kind", ENTRY_KINDS), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("row_count", sa.BigInteger(), nullable=False),
        sa.Column("posted_count", sa.BigInteger(), nullable=False),
        sa.Column("repeated_count", sa.BigInteger(), nullable=False),
        sa.Column("total_cents", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("started_by", sa.Uuid(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "posted_count + repeated_count <= row_count", name=op.f("ck_credit_import_counts_within_rows")
        ),
        sa.ForeignKeyConstraint(["started_by"], ["user.id"], name=op.f("fk_credit_import_started_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_import")),
        sa.UniqueConstraint("sha256", name=op.f("uq_credit_import_sha256")),
    )


# evidence of what there is already --------------------------------------------------------------

APPROVAL = (
    ("dealer_id", "u"), ("quote_id", "u"), ("revision_number", "i"), ("digest", "s"), ("attestation_version", "s"),
    ("attestation_text", "s"), ("attested_suitable", "b"), ("attested_reviewed", "b"), ("attested_complete", "b"),
    ("attested_account_number", "b"), ("typed_account_number", "s"), ("typed_name", "s"), ("approved_by", "u"),
    ("approved_at", "t"), ("address", "s"), ("browser", "s"), ("login", "s"),
)  # fmt: skip


def _field(value: object, letter: str) -> bytes:
    if letter == "b":
        text = "1" if value else "0"
    elif letter == "u":
        text = uuid.UUID(str(value)).hex
    elif letter == "t":
        text = _instant(value).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    else:
        text = str(value)
    raw = text.encode()
    return b"%s%d:%s;" % (letter.encode(), len(raw), raw)


def _instant(value: object) -> datetime:
    instant = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def _sha256(*fields: tuple[object, str]) -> str:
    return hashlib.sha256(b"".join(_field(*field) for field in fields)).hexdigest()


def _bear_witness() -> None:
    """Chain the approvals, orders and cancellations there are, by dealer and instant."""
    bind = op.get_bind()

    def rows(statement: str) -> list[dict[str, object]]:
        return [dict(row) for row in bind.execute(sa.text(statement)).mappings()]

    found = [
        (row["dealer_id"], _instant(row["approved_at"]), 0, "approval",
         f"Q-{row['code']}-{row['quote_number']}.{row['revision_number']}",
         _sha256(("approval", "s"), *((row[name], letter) for name, letter in APPROVAL)))
        for row in rows(
            "SELECT a.*, q.number AS quote_number, c.code FROM approval AS a JOIN quote AS q"
            " ON q.dealer_id = a.dealer_id AND q.id = a.quote_id JOIN company AS c ON c.id = a.dealer_id"
        )
    ]  # fmt: skip
    found += [
        (
            row["dealer_id"],
            _instant(row["entered_at"]),
            1,
            "order",
            f"O-{row['code']}-{row['number']}",
            row["digest"],
        )
        for row in rows('SELECT o.*, c.code FROM "order" AS o JOIN company AS c ON c.id = o.dealer_id')
    ]
    found += [
        (row["dealer_id"], _instant(row["cancelled_at"]), 2, "cancellation",
         f"O-{row['code']}-{row['order_number']}.{row['number']}", row["digest"])
        for row in rows(
            'SELECT x.*, o.number AS order_number, c.code FROM cancellation AS x JOIN "order" AS o'
            " ON o.dealer_id = x.dealer_id AND o.id = x.order_id JOIN company AS c ON c.id = x.dealer_id"
        )
    ]  # fmt: skip
    found.sort(key=lambda each: (str(each[0]), each[1], each[2], str(each[4])))
    heads: dict[object, tuple[int, str]] = {}
    chained = []
    for dealer_id, instant, _, kind, subject, content in found:
        sequence, previous = heads.get(dealer_id, (0, CHAIN_START))
        digest = _sha256(
            ("evidence", "s"), (previous, "s"), (dealer_id, "u"), (sequence + 1, "i"), (kind, "s"), (subject, "s"),
            (content, "s"), (instant, "t"),
        )  # fmt: skip
        heads[dealer_id] = (sequence + 1, digest)
        chained.append(
            {
                "dealer_id": dealer_id, "sequence": sequence + 1, "kind": kind, "subject": subject,
                "content_digest": bytes.fromhex(str(content)), "digest": bytes.fromhex(digest),
                "recorded_at": instant if bind.dialect.name != "sqlite"
                else instant.strftime("%Y-%m-%d %H:%M:%S.%f"),
            }
        )  # fmt: skip
    _copy(
        "evidence_head",
        "dealer_id sequence digest",
        [
            {"dealer_id": dealer_id, "sequence": sequence, "digest": bytes.fromhex(digest)}
            for dealer_id, (sequence, digest) in heads.items()
        ],
    )
    _copy("evidence", "dealer_id sequence kind subject content_digest recorded_at digest", chained)


# triggers ---------------------------------------------------------------------------------------


def _triggers_sqlite() -> None:
    for table in NEW_APPEND_ONLY:
        for event in ("UPDATE", "DELETE"):
            op.execute(
                f'CREATE TRIGGER {table}_no_{event.lower()} BEFORE {event} ON "{table}" '
                f"BEGIN SELECT RAISE(ABORT, 'append_only: {table}'); END"
            )
    for table in NEW_KEPT:
        op.execute(
            f'CREATE TRIGGER {table}_no_delete BEFORE DELETE ON "{table}" '
            f"BEGIN SELECT RAISE(ABORT, 'append_only: {table}'); END"
        )
    for table, keys in KEYS.items():
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
    op.execute(
        "CREATE TRIGGER revision_key BEFORE UPDATE ON revision WHEN NEW.dealer_id IS NOT OLD.dealer_id"
        " OR NEW.quote_id IS NOT OLD.quote_id OR NEW.number IS NOT OLD.number"
        " BEGIN SELECT RAISE(ABORT, 'immutable: revision'); END"
    )
    for name, table, event, condition, says in _rules("IS NOT"):
        op.execute(
            f'CREATE TRIGGER {name} BEFORE {event} ON "{table}" WHEN {condition} '
            f"BEGIN SELECT RAISE(ABORT, '{says}'); END"
        )


def _triggers_postgresql() -> None:
    for table in NEW_APPEND_ONLY:
        _always(f"{table}_no_change", table, "BEFORE UPDATE OR DELETE", "ROW", "refuse_change")
    for table in NEW_KEPT:
        if table != "ledger_account":
            _always(f"{table}_no_delete", table, "BEFORE DELETE", "ROW", "refuse_change")
    for table in (*NEW_APPEND_ONLY, *NEW_KEPT):
        if table not in {"ledger_account", "ledger_entry"}:
            _always(f"{table}_no_truncate", table, "BEFORE TRUNCATE", "STATEMENT", "refuse_change")
    for name, table, event, condition, says in _rules("IS DISTINCT FROM"):
        op.execute(
            f"CREATE FUNCTION guard_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ "
            f"BEGIN IF {condition} THEN RAISE EXCEPTION '{says}' "
            f"USING ERRCODE = 'restrict_violation'; END IF; RETURN NEW; END $$"
        )
        _always(name, table, f"BEFORE {event}", "ROW", f"guard_{name}")


def _always(name: str, table: str, event: str, each: str, function: str) -> None:
    op.execute(f'CREATE TRIGGER {name} {event} ON "{table}" FOR EACH {each} EXECUTE FUNCTION {function}()')
    op.execute(f'ALTER TABLE "{table}" ENABLE ALWAYS TRIGGER {name}')


# back -------------------------------------------------------------------------------------------


def downgrade() -> None:
    """Bring back the tables of 0003. Refuses where that would lose what is posted (RuntimeError)."""
    bind = op.get_bind()
    for table in ("ledger_entry", "evidence", "year_close", "checkpoint"):
        if bind.execute(sa.text(f"SELECT 1 FROM {table} LIMIT 1")).first():
            raise RuntimeError(
                f"{table} has rows that the older tables cannot hold: restore a backup instead"
            )
    op.execute("DROP VIEW ledger_posting")
    dropped = (
        "credit_import", "checkpoint", "evidence", "evidence_head", "dispute_answer", "dispute", "year_close",
        "year_closing",
    )  # fmt: skip
    is_sqlite = bind.dialect.name == "sqlite"
    rebuilt = {*dropped, "ledger_entry", "ledger_account"}
    if is_sqlite:
        for table in KEYS.keys() - rebuilt:
            op.execute(f"DROP TRIGGER {table}_no_replace")
        op.execute("DROP TRIGGER revision_key")
    for table in dropped:
        op.drop_table(table)
    op.drop_index("uq_ledger_entry_reversal", table_name="ledger_entry")
    if is_sqlite:
        _back_sqlite()
    else:
        _back_postgresql()
        for name, table, *_ in _rules(""):
            if table not in {"ledger_entry", "ledger_account"}:
                op.execute(f"DROP FUNCTION guard_{name}()")


def _back_sqlite() -> None:
    for table in ("ledger_entry", "ledger_account"):
        op.drop_table(table)
    _old_account()
    op.create_table(
        "ledger_entry",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("kind", _choice("kind", OLD_KINDS), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_digest", sa.Text(), nullable=False),
        sa.Column("memo", sa.Text(), nullable=False),
        sa.Column("related_entry_id", sa.Uuid(), nullable=True),
        sa.Column("digest_version", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.CheckConstraint("amount_cents <> 0", name=op.f("ck_ledger_entry_amount_not_zero")),
        sa.ForeignKeyConstraint(["actor_id"], ["user.id"], name=op.f("fk_ledger_entry_actor_id")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "related_entry_id"],
            ["ledger_entry.dealer_id", "ledger_entry.id"],
            name=op.f("fk_ledger_entry_dealer_id_related_entry_id"),
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_ledger_entry_dealer_id")),
        sa.PrimaryKeyConstraint("dealer_id", "id", name=op.f("pk_ledger_entry")),
        sa.UniqueConstraint(
            "dealer_id", "id", "amount_cents", name=op.f("uq_ledger_entry_dealer_id_id_amount_cents")
        ),
        sa.UniqueConstraint(
            "dealer_id", "idempotency_key", name=op.f("uq_ledger_entry_dealer_id_idempotency_key")
        ),
    )
    _old_posting()
    for table in ("ledger_entry", "ledger_posting"):
        for event in ("UPDATE", "DELETE"):
            op.execute(
                f'CREATE TRIGGER {table}_no_{event.lower()} BEFORE {event} ON "{table}" '
                f"BEGIN SELECT RAISE(ABORT, 'append_only: {table}'); END"
            )
    op.execute(
        "CREATE TRIGGER ledger_account_no_delete BEFORE DELETE ON ledger_account "
        "BEGIN SELECT RAISE(ABORT, 'append_only: ledger_account'); END"
    )
    op.execute(
        f"CREATE TRIGGER ledger_account_head BEFORE UPDATE ON ledger_account WHEN {OLD_HEAD.format('IS NOT')} "
        "BEGIN SELECT RAISE(ABORT, 'immutable: ledger_account'); END"
    )


OLD_KINDS = ("order", "cancellation", "adjustment", "other_purchase")
OLD_HEAD = (
    "NEW.dealer_id {0} OLD.dealer_id OR NEW.program_year {0} OLD.program_year OR NEW.kind {0} OLD.kind"
    " OR NEW.currency {0} OLD.currency OR NEW.opened_at {0} OLD.opened_at OR NEW.sequence <> OLD.sequence + 1"
)


def _old_account() -> None:
    op.create_table(
        "ledger_account",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("program_year", sa.BigInteger(), nullable=False),
        sa.Column("kind", _choice("kind", ACCOUNT_KINDS), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("balance_cents", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.CheckConstraint("sequence >= 0", name=op.f("ck_ledger_account_sequence_not_negative")),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_ledger_account_dealer_id")),
        sa.PrimaryKeyConstraint("dealer_id", "program_year", "kind", name=op.f("pk_ledger_account")),
    )


def _old_posting() -> None:
    op.create_table(
        "ledger_posting",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("program_year", sa.BigInteger(), nullable=False),
        sa.Column("account_kind", _choice("account_kind", ACCOUNT_KINDS), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("side", sa.BigInteger(), nullable=False),
        sa.Column("entry_amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("balance_cents", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.CheckConstraint("sequence > 0", name=op.f("ck_ledger_posting_sequence_positive")),
        sa.CheckConstraint("side IN (1, -1)", name=op.f("ck_ledger_posting_side")),
        sa.CheckConstraint(
            "amount_cents = side * entry_amount_cents", name=op.f("ck_ledger_posting_amount_is_entrys")
        ),
        sa.CheckConstraint(
            "(account_kind = 'issuance') = (side = -1)", name=op.f("ck_ledger_posting_side_is_accounts")
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "entry_id", "entry_amount_cents"],
            ["ledger_entry.dealer_id", "ledger_entry.id", "ledger_entry.amount_cents"],
            name=op.f("fk_ledger_posting_dealer_id_entry_id_entry_amount_cents"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "program_year", "account_kind"],
            ["ledger_account.dealer_id", "ledger_account.program_year", "ledger_account.kind"],
            name=op.f("fk_ledger_posting_dealer_id_program_year_account_kind"),
        ),
        sa.PrimaryKeyConstraint(
            "dealer_id", "program_year", "account_kind", "sequence", name=op.f("pk_ledger_posting")
        ),
        sa.UniqueConstraint(
            "dealer_id", "entry_id", "side", name=op.f("uq_ledger_posting_dealer_id_entry_id_side")
        ),
    )


def _back_postgresql() -> None:
    for statement in (
        "DROP TRIGGER ledger_entry_place ON ledger_entry",
        "DROP FUNCTION guard_ledger_entry_place()",
        "DROP TRIGGER ledger_account_head ON ledger_account",
        "DROP FUNCTION guard_ledger_account_head()",
        "DROP TRIGGER ledger_account_start ON ledger_account",
        "DROP FUNCTION guard_ledger_account_start()",
        "ALTER TABLE ledger_entry DROP CONSTRAINT fk_ledger_entry_dealer_id_program_year_account_kind,"
        " DROP CONSTRAINT ck_ledger_entry_kind, DROP COLUMN program_year, DROP COLUMN account_kind CASCADE,"
        " DROP COLUMN sequence, DROP COLUMN balance_cents, DROP COLUMN issuance_sequence,"
        " DROP COLUMN issuance_balance_cents, DROP COLUMN issuance_digest,"
        " DROP CONSTRAINT ck_ledger_entry_reversal_of_something,"
        " ALTER COLUMN source_digest TYPE text USING encode(source_digest, 'hex'),"
        " ALTER COLUMN digest TYPE text USING encode(digest, 'hex'),"
        " ALTER COLUMN digest_version TYPE bigint",
        "ALTER TABLE ledger_account DROP COLUMN closed_at, DROP COLUMN posted_at,"
        " ALTER COLUMN program_year TYPE bigint, ALTER COLUMN digest TYPE text USING encode(digest, 'hex')",
    ):
        op.execute(statement)
    op.create_check_constraint(op.f("ck_ledger_entry_kind"), "ledger_entry", _in("kind", OLD_KINDS))
    op.create_unique_constraint(
        op.f("uq_ledger_entry_dealer_id_id_amount_cents"), "ledger_entry", ["dealer_id", "id", "amount_cents"]
    )
    _old_posting()
    _always("ledger_posting_no_change", "ledger_posting", "BEFORE UPDATE OR DELETE", "ROW", "refuse_change")
    _always("ledger_posting_no_truncate", "ledger_posting", "BEFORE TRUNCATE", "STATEMENT", "refuse_change")
    op.execute(
        "CREATE FUNCTION guard_ledger_account_head() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN IF {OLD_HEAD.format('IS DISTINCT FROM')} THEN RAISE EXCEPTION 'immutable: ledger_account' "
        "USING ERRCODE = 'restrict_violation'; END IF; RETURN NEW; END $$"
    )
    _always("ledger_account_head", "ledger_account", "BEFORE UPDATE", "ROW", "guard_ledger_account_head")
