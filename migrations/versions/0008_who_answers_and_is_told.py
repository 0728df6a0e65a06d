"""Who answers, decides and is told: parked referrals, delegations, profiles, plans of projects, mail that is sent.

Revision 0008, after 0007.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

APPEND_ONLY = {
    "continuation": ("dealer_id id",),
    "milestone_entry": ("dealer_id id", "dealer_id referral_id kind number"),
}
KEPT = {"delegation": ("dealer_id id",)}
"""Tables with the keys whose rows SQLite's INSERT OR REPLACE must not take away."""
OLD_STATES = ("open", "accepted", "refused", "withdrawn")
STATES = (*OLD_STATES, "parked", "expired", "closed")
MAIL_COLUMNS = ("given_up_at", "failure", "attempts", "next_try_at", "is_digestible", "path")


def upgrade() -> None:
    """Create the tables with their triggers; let a referral stand in the new states, and a mail be sent."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    _make_tables()
    op.add_column("qualification", sa.Column("families", sa.JSON(), server_default="[]", nullable=False))
    op.add_column("referral", sa.Column("expires_on", sa.Date(), nullable=True))
    op.add_column("referral", sa.Column("offered_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE referral SET offered_at = opened_at")
    op.add_column("outgoing_mail", sa.Column("path", sa.Text(), server_default="", nullable=False))
    op.add_column(
        "outgoing_mail", sa.Column("is_digestible", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    op.add_column("outgoing_mail", sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        "ALTER TABLE outgoing_mail ADD COLUMN attempts BIGINT DEFAULT 0 NOT NULL"
        " CONSTRAINT ck_outgoing_mail_attempts_not_negative CHECK (attempts >= 0)"
    )
    op.add_column("outgoing_mail", sa.Column("failure", sa.Text(), server_default="", nullable=False))
    op.add_column("outgoing_mail", sa.Column("given_up_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_outgoing_mail_owed",
        "outgoing_mail",
        ["next_try_at", "id"],
        sqlite_where=sa.text("sent_at IS NULL AND given_up_at IS NULL"),
        postgresql_where=sa.text("sent_at IS NULL AND given_up_at IS NULL"),
    )
    _set_check("referral", "state", OLD_STATES, STATES)
    for table, keys in (APPEND_ONLY | KEPT).items():
        _hold(table, keys, is_sqlite, is_kept=table in KEPT)


def _make_tables() -> None:
    op.create_table(
        "account_profile",
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("regions", sa.JSON(), nullable=False),
        sa.Column("capacity", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("changed_by", sa.Uuid(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("capacity >= 0", name=op.f("ck_account_profile_capacity_not_negative")),
        sa.ForeignKeyConstraint(["changed_by"], ["user.id"], name=op.f("fk_account_profile_changed_by")),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_account_profile_company_id")),
        sa.PrimaryKeyConstraint("company_id", name=op.f("pk_account_profile")),
    )
    op.create_table(
        "bill_mapping",
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("headings_digest", sa.LargeBinary(32), nullable=False),
        sa.Column("columns", sa.JSON(), nullable=False),
        sa.Column("saved_by", sa.Uuid(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_bill_mapping_company_id")),
        sa.ForeignKeyConstraint(["saved_by"], ["user.id"], name=op.f("fk_bill_mapping_saved_by")),
        sa.PrimaryKeyConstraint("company_id", "headings_digest", name=op.f("pk_bill_mapping")),
    )
    op.create_table(
        "calendar_feed",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("token_digest", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_calendar_feed_user_id")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_calendar_feed")),
        sa.UniqueConstraint("token_digest", name=op.f("uq_calendar_feed_token_digest")),
    )
    op.create_table(
        "delegation",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("approver_id", sa.Uuid(), nullable=False),
        sa.Column("delegate_id", sa.Uuid(), nullable=False),
        sa.Column("first_on", sa.Date(), nullable=False),
        sa.Column("last_on", sa.Date(), nullable=False),
        sa.Column("lent_by", sa.Uuid(), nullable=False),
        sa.Column("lent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("delegate_id <> approver_id", name=op.f("ck_delegation_two_people")),
        sa.CheckConstraint("last_on >= first_on", name=op.f("ck_delegation_days_in_order")),
        sa.ForeignKeyConstraint(["approver_id"], ["user.id"], name=op.f("fk_delegation_approver_id")),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_delegation_dealer_id")),
        sa.ForeignKeyConstraint(["delegate_id"], ["user.id"], name=op.f("fk_delegation_delegate_id")),
        sa.ForeignKeyConstraint(["ended_by"], ["user.id"], name=op.f("fk_delegation_ended_by")),
        sa.ForeignKeyConstraint(["lent_by"], ["user.id"], name=op.f("fk_delegation_lent_by")),
        sa.PrimaryKeyConstraint("dealer_id", "id", name=op.f("pk_delegation")),
    )
    op.create_index("ix_delegation_delegate", "delegation", ["dealer_id", "delegate_id"], unique=False)
    op.create_table(
        "mail_preference",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("wants_digest", sa.Boolean(), nullable=False),
        sa.Column("last_digest_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_mail_preference_user_id")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_mail_preference")),
    )
    op.create_table(
        "saved_view",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("list_name", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_saved_view_user_id")),
        sa.PrimaryKeyConstraint("user_id", "id", name=op.f("pk_saved_view")),
        sa.UniqueConstraint(
            "user_id", "list_name", "name", name=op.f("uq_saved_view_user_id_list_name_name")
        ),
    )
    op.create_table(
        "continuation",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("last_on", sa.Date(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("granted_by", sa.Uuid(), nullable=False),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["dealer_id", "referral_id"],
            ["referral.dealer_id", "referral.id"],
            name=op.f("fk_continuation_dealer_id_referral_id"),
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_continuation_dealer_id")),
        sa.ForeignKeyConstraint(["granted_by"], ["user.id"], name=op.f("fk_continuation_granted_by")),
        sa.PrimaryKeyConstraint("dealer_id", "id", name=op.f("pk_continuation")),
    )
    op.create_index("ix_continuation_referral", "continuation", ["dealer_id", "referral_id"], unique=False)
    op.create_table(
        "milestone_entry",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "specify",
                "pre_wire",
                "install",
                "commissioning",
                "programming",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("planned_on", sa.Date(), nullable=True),
        sa.Column("forecast_on", sa.Date(), nullable=True),
        sa.Column("actual_on", sa.Date(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("slip_reason", sa.Text(), nullable=False),
        sa.Column("said_by", sa.Uuid(), nullable=False),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("number > 0", name=op.f("ck_milestone_entry_number_positive")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "referral_id"],
            ["referral.dealer_id", "referral.id"],
            name=op.f("fk_milestone_entry_dealer_id_referral_id"),
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_milestone_entry_dealer_id")),
        sa.ForeignKeyConstraint(["said_by"], ["user.id"], name=op.f("fk_milestone_entry_said_by")),
        sa.PrimaryKeyConstraint("dealer_id", "id", name=op.f("pk_milestone_entry")),
        sa.UniqueConstraint(
            "dealer_id",
            "referral_id",
            "kind",
            "number",
            name=op.f("uq_milestone_entry_dealer_id_referral_id_kind_number"),
        ),
    )
    op.create_table(
        "trade",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("trade", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("contact", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("agreed_on", sa.Date(), nullable=True),
        sa.Column("done_on", sa.Date(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("changed_by", sa.Uuid(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["changed_by"], ["user.id"], name=op.f("fk_trade_changed_by")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "referral_id"],
            ["referral.dealer_id", "referral.id"],
            name=op.f("fk_trade_dealer_id_referral_id"),
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_trade_dealer_id")),
        sa.PrimaryKeyConstraint("dealer_id", "id", name=op.f("pk_trade")),
    )
    op.create_index("ix_trade_referral", "trade", ["dealer_id", "referral_id"], unique=False)


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
    """Drop them again. Refuses where a referral stands in a new state (RuntimeError)."""
    bind = op.get_bind()
    new = ", ".join(map(repr, STATES[len(OLD_STATES) :]))
    if bind.execute(sa.text(f"SELECT 1 FROM referral WHERE state IN ({new}) LIMIT 1")).first():
        raise RuntimeError("referral has states that the older table cannot hold: restore a backup instead")
    _set_check("referral", "state", STATES, OLD_STATES)
    op.drop_index("ix_outgoing_mail_owed", table_name="outgoing_mail")
    for column in MAIL_COLUMNS:
        op.drop_column("outgoing_mail", column)
    op.drop_column("referral", "offered_at")
    op.drop_column("referral", "expires_on")
    op.drop_column("qualification", "families")
    for table in (
        "trade",
        "milestone_entry",
        "continuation",
        "saved_view",
        "mail_preference",
        "delegation",
        "calendar_feed",
        "bill_mapping",
        "account_profile",
    ):
        op.drop_table(table)
