"""Tables of the first three floors.

Revision 0001, after .
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table(
        "company",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("is_dealer", sa.Boolean(), nullable=False),
        sa.Column("is_account", sa.Boolean(), nullable=False),
        sa.Column("is_program", sa.Boolean(), nullable=False),
        sa.Column("city", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("serves", sa.Text(), nullable=False),
        sa.Column("active_from", sa.Date(), nullable=False),
        sa.Column("active_to", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("is_dealer OR is_account OR is_program", name=op.f("ck_company_some_kind")),
        sa.CheckConstraint(
            "length(code) BETWEEN 3 AND 8 AND code = upper(code)", name=op.f("ck_company_code_shape")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_company")),
        sa.UniqueConstraint("code", name=op.f("uq_company_code")),
    )
    op.create_table(
        "outgoing_mail",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outgoing_mail")),
    )
    op.create_table(
        "account_number",
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("folded", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("length(folded) > 0", name=op.f("ck_account_number_not_empty")),
        sa.CheckConstraint(
            "valid_to IS NULL OR valid_to >= valid_from", name=op.f("ck_account_number_days_in_order")
        ),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_account_number_company_id")),
        sa.PrimaryKeyConstraint("company_id", "id", name=op.f("pk_account_number")),
        sa.UniqueConstraint("folded", "valid_from", name=op.f("uq_account_number_folded_valid_from")),
    )
    op.create_table(
        "dealer_counter",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("last_number", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_dealer_counter_dealer_id")),
        sa.PrimaryKeyConstraint("dealer_id", "kind", name=op.f("pk_dealer_counter")),
    )
    op.create_table(
        "invitation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("token_digest", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_invitation_company_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitation")),
        sa.UniqueConstraint("token_digest", name=op.f("uq_invitation_token_digest")),
    )
    op.create_index(op.f("ix_invitation_company_id"), "invitation", ["company_id"], unique=False)
    op.create_table(
        "ledger_account",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("program_year", sa.BigInteger(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "sales_credit",
                "other_purchases",
                "issuance",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("balance_cents", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.CheckConstraint("sequence >= 0", name=op.f("ck_ledger_account_sequence_not_negative")),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_ledger_account_dealer_id")),
        sa.PrimaryKeyConstraint("dealer_id", "program_year", "kind", name=op.f("pk_ledger_account")),
    )
    op.create_table(
        "qualification",
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "valid_to IS NULL OR valid_to >= valid_from", name=op.f("ck_qualification_days_in_order")
        ),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_qualification_company_id")),
        sa.PrimaryKeyConstraint("company_id", "id", name=op.f("pk_qualification")),
    )
    op.create_table(
        "user",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("email_folded", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("sign_in_id", sa.Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_user_company_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user")),
        sa.UniqueConstraint("email_folded", name=op.f("uq_user_email_folded")),
        sa.UniqueConstraint("sign_in_id", name=op.f("uq_user_sign_in_id")),
    )
    op.create_index(op.f("ix_user_company_id"), "user", ["company_id"], unique=False)
    op.create_table(
        "api_token",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("token_digest", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_api_token_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("token_digest", name=op.f("uq_api_token_token_digest")),
    )
    op.create_index(op.f("ix_api_token_user_id"), "api_token", ["user_id"], unique=False)
    op.create_table(
        "audit_event",
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["actor_id"], ["user.id"], name=op.f("fk_audit_event_actor_id")),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_audit_event_company_id")),
        sa.PrimaryKeyConstraint("company_id", "id", name=op.f("pk_audit_event")),
    )
    op.create_index(op.f("ix_audit_event_at"), "audit_event", ["at"], unique=False)
    op.create_table(
        "ledger_entry",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "order",
                "cancellation",
                "adjustment",
                "other_purchase",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
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
    op.create_table(
        "level_set",
        sa.Column("level_year", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Uuid(), nullable=True),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["set_by"], ["user.id"], name=op.f("fk_level_set_set_by")),
        sa.PrimaryKeyConstraint("level_year", "version", name=op.f("pk_level_set")),
    )
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
        sa.UniqueConstraint("valid_from", name=op.f("uq_price_list_valid_from")),
        sa.UniqueConstraint("version", name=op.f("uq_price_list_version")),
    )
    op.create_table(
        "referral",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "open",
                "accepted",
                "refused",
                "withdrawn",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("project_name", sa.Text(), nullable=False),
        sa.Column("project_key", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("spaces", sa.Text(), nullable=False),
        sa.Column("wanted_on", sa.Date(), nullable=True),
        sa.Column("client_name", sa.Text(), nullable=False),
        sa.Column("client_contact", sa.Text(), nullable=False),
        sa.Column("client_shared", sa.Boolean(), nullable=False),
        sa.Column("attestation_version", sa.Text(), nullable=False),
        sa.Column("attested_by", sa.Uuid(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_by", sa.Uuid(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer_reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["company.id"], name=op.f("fk_referral_account_id")),
        sa.ForeignKeyConstraint(["answered_by"], ["user.id"], name=op.f("fk_referral_answered_by")),
        sa.ForeignKeyConstraint(["attested_by"], ["user.id"], name=op.f("fk_referral_attested_by")),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_referral_dealer_id")),
        sa.PrimaryKeyConstraint("dealer_id", "id", name=op.f("pk_referral")),
        sa.UniqueConstraint("dealer_id", "number", name=op.f("uq_referral_dealer_id_number")),
    )
    op.create_index("ix_referral_account", "referral", ["account_id", "dealer_id"], unique=False)
    op.create_index(
        "uq_referral_live_project",
        "referral",
        ["dealer_id", "project_key"],
        unique=True,
        sqlite_where=sa.text("state IN ('open', 'accepted')"),
        postgresql_where=sa.text("state IN ('open', 'accepted')"),
    )
    op.create_table(
        "setting",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("changed_by", sa.Uuid(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "valid_to IS NULL OR valid_to >= valid_from", name=op.f("ck_setting_days_in_order")
        ),
        sa.ForeignKeyConstraint(["changed_by"], ["user.id"], name=op.f("fk_setting_changed_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_setting")),
    )
    op.create_index(op.f("ix_setting_key"), "setting", ["key"], unique=False)
    op.create_table(
        "upload",
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["company.id"], name=op.f("fk_upload_company_id")),
        sa.ForeignKeyConstraint(["created_by"], ["user.id"], name=op.f("fk_upload_created_by")),
        sa.PrimaryKeyConstraint("company_id", "id", name=op.f("pk_upload")),
    )
    op.create_table(
        "user_role",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column(
            "role",
            sa.Enum(
                "dealer_viewer",
                "dealer_approver",
                "dealer_admin",
                "account_viewer",
                "account_builder",
                "account_installer",
                "account_admin",
                "program_admin",
                "program_auditor",
                name="role",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_user_role_user_id")),
        sa.PrimaryKeyConstraint("user_id", "role", name=op.f("pk_user_role")),
    )
    op.create_table(
        "ledger_posting",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("program_year", sa.BigInteger(), nullable=False),
        sa.Column(
            "account_kind",
            sa.Enum(
                "sales_credit",
                "other_purchases",
                "issuance",
                name="account_kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("side", sa.BigInteger(), nullable=False),
        sa.Column("entry_amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("balance_cents", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "(account_kind = 'issuance') = (side = -1)", name=op.f("ck_ledger_posting_side_is_accounts")
        ),
        sa.CheckConstraint(
            "amount_cents = side * entry_amount_cents", name=op.f("ck_ledger_posting_amount_is_entrys")
        ),
        sa.CheckConstraint("sequence > 0", name=op.f("ck_ledger_posting_sequence_positive")),
        sa.CheckConstraint("side IN (1, -1)", name=op.f("ck_ledger_posting_side")),
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
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_ledger_posting_dealer_id")),
        sa.PrimaryKeyConstraint(
            "dealer_id", "program_year", "account_kind", "sequence", name=op.f("pk_ledger_posting")
        ),
        sa.UniqueConstraint(
            "dealer_id", "entry_id", "side", name=op.f("uq_ledger_posting_dealer_id_entry_id_side")
        ),
    )
    op.create_table(
        "level",
        sa.Column("level_year", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("rank", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("threshold_cents", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("threshold_cents >= 0", name=op.f("ck_level_threshold_not_negative")),
        sa.ForeignKeyConstraint(
            ["level_year", "version"],
            ["level_set.level_year", "level_set.version"],
            name=op.f("fk_level_level_year_version"),
        ),
        sa.PrimaryKeyConstraint("level_year", "version", "rank", name=op.f("pk_level")),
        sa.UniqueConstraint("level_year", "version", "name", name=op.f("uq_level_level_year_version_name")),
    )
    op.create_table(
        "price_item",
        sa.Column("price_list_id", sa.Uuid(), nullable=False),
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
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("list_price_cents", sa.BigInteger(), nullable=False),
        sa.Column("search_text", sa.Text(), nullable=False),
        sa.CheckConstraint("list_price_cents >= 0", name=op.f("ck_price_item_list_price_not_negative")),
        sa.ForeignKeyConstraint(
            ["price_list_id"], ["price_list.id"], name=op.f("fk_price_item_price_list_id")
        ),
        sa.PrimaryKeyConstraint("price_list_id", "model_number", name=op.f("pk_price_item")),
    )
    op.create_index("ix_price_item_search", "price_item", ["price_list_id", "search_text"], unique=False)
    op.create_table(
        "quote",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=False),
        sa.Column("latest_revision", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["company.id"], name=op.f("fk_quote_account_id")),
        sa.ForeignKeyConstraint(["created_by"], ["user.id"], name=op.f("fk_quote_created_by")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "referral_id"],
            ["referral.dealer_id", "referral.id"],
            name=op.f("fk_quote_dealer_id_referral_id"),
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_quote_dealer_id")),
        sa.PrimaryKeyConstraint("dealer_id", "id", name=op.f("pk_quote")),
        sa.UniqueConstraint("dealer_id", "number", name=op.f("uq_quote_dealer_id_number")),
    )
    op.create_index("ix_quote_account", "quote", ["account_id", "dealer_id"], unique=False)
    op.create_table(
        "revision",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("quote_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "draft",
                "submitted",
                "changes_requested",
                "declined",
                "approved",
                "superseded",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "services_state",
            sa.Enum(
                "open",
                "none",
                "proposed",
                "agreed",
                name="services_state",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("account_number", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("draft_version", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("price_list_id", sa.Uuid(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("submitted_by", sa.Uuid(), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("submitted_on", sa.Date(), nullable=True),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("products_digest", sa.Text(), nullable=True),
        sa.Column("services_digest", sa.Text(), nullable=True),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision_reason", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "(state = 'draft') = (submitted_at IS NULL) AND (state = 'draft') = (digest IS NULL)",
            name=op.f("ck_revision_submitted_has_digest"),
        ),
        sa.CheckConstraint("number > 0", name=op.f("ck_revision_number_positive")),
        sa.ForeignKeyConstraint(["created_by"], ["user.id"], name=op.f("fk_revision_created_by")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "quote_id"],
            ["quote.dealer_id", "quote.id"],
            name=op.f("fk_revision_dealer_id_quote_id"),
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_revision_dealer_id")),
        sa.ForeignKeyConstraint(["decided_by"], ["user.id"], name=op.f("fk_revision_decided_by")),
        sa.ForeignKeyConstraint(["price_list_id"], ["price_list.id"], name=op.f("fk_revision_price_list_id")),
        sa.ForeignKeyConstraint(["submitted_by"], ["user.id"], name=op.f("fk_revision_submitted_by")),
        sa.PrimaryKeyConstraint("dealer_id", "quote_id", "number", name=op.f("pk_revision")),
    )
    op.create_table(
        "approval",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("quote_id", sa.Uuid(), nullable=False),
        sa.Column("revision_number", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("attestation_version", sa.Text(), nullable=False),
        sa.Column("attestation_text", sa.Text(), nullable=False),
        sa.Column("attested_suitable", sa.Boolean(), nullable=False),
        sa.Column("attested_reviewed", sa.Boolean(), nullable=False),
        sa.Column("attested_complete", sa.Boolean(), nullable=False),
        sa.Column("attested_account_number", sa.Boolean(), nullable=False),
        sa.Column("typed_account_number", sa.Text(), nullable=False),
        sa.Column("typed_name", sa.Text(), nullable=False),
        sa.Column("approved_by", sa.Uuid(), nullable=False),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("browser", sa.Text(), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "attested_suitable AND attested_reviewed AND attested_complete AND attested_account_number",
            name=op.f("ck_approval_all_attested"),
        ),
        sa.ForeignKeyConstraint(["approved_by"], ["user.id"], name=op.f("fk_approval_approved_by")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "quote_id", "revision_number"],
            ["revision.dealer_id", "revision.quote_id", "revision.number"],
            name=op.f("fk_approval_dealer_id_quote_id_revision_number"),
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_approval_dealer_id")),
        sa.PrimaryKeyConstraint("dealer_id", "quote_id", "revision_number", name=op.f("pk_approval")),
    )
    op.create_table(
        "revision_line",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("quote_id", sa.Uuid(), nullable=False),
        sa.Column("revision_number", sa.BigInteger(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
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
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("list_price_cents", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("list_price_cents >= 0", name=op.f("ck_revision_line_list_price_not_negative")),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_revision_line_quantity_positive")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "quote_id", "revision_number"],
            ["revision.dealer_id", "revision.quote_id", "revision.number"],
            name=op.f("fk_revision_line_dealer_id_quote_id_revision_number"),
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_revision_line_dealer_id")),
        sa.PrimaryKeyConstraint(
            "dealer_id", "quote_id", "revision_number", "line_id", name=op.f("pk_revision_line")
        ),
    )
    op.create_table(
        "revision_service",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("quote_id", sa.Uuid(), nullable=False),
        sa.Column("revision_number", sa.BigInteger(), nullable=False),
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
        sa.CheckConstraint("amount_cents >= 0", name=op.f("ck_revision_service_amount_not_negative")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "quote_id", "revision_number"],
            ["revision.dealer_id", "revision.quote_id", "revision.number"],
            name=op.f("fk_revision_service_dealer_id_quote_id_revision_number"),
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_revision_service_dealer_id")),
        sa.PrimaryKeyConstraint(
            "dealer_id", "quote_id", "revision_number", "position", name=op.f("pk_revision_service")
        ),
    )
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
    op.create_table(
        "order",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("quote_id", sa.Uuid(), nullable=False),
        sa.Column("revision_number", sa.BigInteger(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "entered",
                "part_cancelled",
                "cancelled",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("request_digest", sa.Text(), nullable=False),
        sa.Column("purchase_order", sa.Text(), nullable=False),
        sa.Column("account_number", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("program_year", sa.BigInteger(), nullable=False),
        sa.Column("credit_rate", sa.BigInteger(), nullable=False),
        sa.Column("products_cents", sa.BigInteger(), nullable=False),
        sa.Column("credit_cents", sa.BigInteger(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=True),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("entered_by", sa.Uuid(), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entered_on", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["company.id"], name=op.f("fk_order_account_id")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "entry_id"],
            ["ledger_entry.dealer_id", "ledger_entry.id"],
            name=op.f("fk_order_dealer_id_entry_id"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "quote_id", "revision_number"],
            ["approval.dealer_id", "approval.quote_id", "approval.revision_number"],
            name=op.f("fk_order_dealer_id_quote_id_revision_number"),
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_order_dealer_id")),
        sa.ForeignKeyConstraint(["entered_by"], ["user.id"], name=op.f("fk_order_entered_by")),
        sa.PrimaryKeyConstraint("dealer_id", "id", name=op.f("pk_order")),
        sa.UniqueConstraint("dealer_id", "idempotency_key", name=op.f("uq_order_dealer_id_idempotency_key")),
        sa.UniqueConstraint("dealer_id", "number", name=op.f("uq_order_dealer_id_number")),
    )
    op.create_index("ix_order_account", "order", ["account_id", "dealer_id"], unique=False)
    op.create_table(
        "cancellation",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("request_digest", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("products_cents", sa.BigInteger(), nullable=False),
        sa.Column("credit_cents", sa.BigInteger(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=True),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("cancelled_by", sa.Uuid(), nullable=False),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cancelled_on", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["cancelled_by"], ["user.id"], name=op.f("fk_cancellation_cancelled_by")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "entry_id"],
            ["ledger_entry.dealer_id", "ledger_entry.id"],
            name=op.f("fk_cancellation_dealer_id_entry_id"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "order_id"],
            ["order.dealer_id", "order.id"],
            name=op.f("fk_cancellation_dealer_id_order_id"),
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_cancellation_dealer_id")),
        sa.PrimaryKeyConstraint("dealer_id", "order_id", "number", name=op.f("pk_cancellation")),
        sa.UniqueConstraint(
            "dealer_id", "idempotency_key", name=op.f("uq_cancellation_dealer_id_idempotency_key")
        ),
    )
    op.create_table(
        "order_line",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("quote_id", sa.Uuid(), nullable=False),
        sa.Column("revision_number", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("list_price_cents", sa.BigInteger(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("is_creditable", sa.Boolean(), nullable=False),
        sa.Column("credit_cents", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "amount_cents = quantity * list_price_cents", name=op.f("ck_order_line_amount_is_list_price")
        ),
        sa.CheckConstraint(
            "is_creditable OR credit_cents = 0", name=op.f("ck_order_line_credit_only_where_creditable")
        ),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_order_line_quantity_positive")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "order_id"],
            ["order.dealer_id", "order.id"],
            name=op.f("fk_order_line_dealer_id_order_id"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "quote_id", "revision_number", "line_id"],
            [
                "revision_line.dealer_id",
                "revision_line.quote_id",
                "revision_line.revision_number",
                "revision_line.line_id",
            ],
            name=op.f("fk_order_line_dealer_id_quote_id_revision_number_line_id"),
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_order_line_dealer_id")),
        sa.PrimaryKeyConstraint("dealer_id", "order_id", "line_id", name=op.f("pk_order_line")),
    )
    op.create_index("ix_order_line_quote", "order_line", ["dealer_id", "quote_id", "line_id"], unique=False)
    op.create_table(
        "cancellation_line",
        sa.Column("dealer_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("cancellation_number", sa.BigInteger(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("credit_cents", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_cancellation_line_quantity_positive")),
        sa.ForeignKeyConstraint(
            ["dealer_id", "order_id", "cancellation_number"],
            ["cancellation.dealer_id", "cancellation.order_id", "cancellation.number"],
            name=op.f("fk_cancellation_line_dealer_id_order_id_cancellation_number"),
        ),
        sa.ForeignKeyConstraint(
            ["dealer_id", "order_id", "line_id"],
            ["order_line.dealer_id", "order_line.order_id", "order_line.line_id"],
            name=op.f("fk_cancellation_line_dealer_id_order_id_line_id"),
        ),
        sa.ForeignKeyConstraint(["dealer_id"], ["company.id"], name=op.f("fk_cancellation_line_dealer_id")),
        sa.PrimaryKeyConstraint(
            "dealer_id", "order_id", "cancellation_number", "line_id", name=op.f("pk_cancellation_line")
        ),
    )


def downgrade() -> None:

    op.drop_table("cancellation_line")
    op.drop_index("ix_order_line_quote", table_name="order_line")
    op.drop_table("order_line")
    op.drop_table("cancellation")
    op.drop_index("ix_order_account", table_name="order")
    op.drop_table("order")
    op.drop_table("line_remark")
    op.drop_table("revision_service")
    op.drop_table("revision_line")
    op.drop_table("approval")
    op.drop_table("revision")
    op.drop_index("ix_quote_account", table_name="quote")
    op.drop_table("quote")
    op.drop_index("ix_price_item_search", table_name="price_item")
    op.drop_table("price_item")
    op.drop_table("level")
    op.drop_table("ledger_posting")
    op.drop_table("user_role")
    op.drop_table("upload")
    op.drop_index(op.f("ix_setting_key"), table_name="setting")
    op.drop_table("setting")
    op.drop_index(
        "uq_referral_live_project",
        table_name="referral",
        sqlite_where=sa.text("state IN ('open', 'accepted')"),
        postgresql_where=sa.text("state IN ('open', 'accepted')"),
    )
    op.drop_index("ix_referral_account", table_name="referral")
    op.drop_table("referral")
    op.drop_table("price_list")
    op.drop_table("level_set")
    op.drop_table("ledger_entry")
    op.drop_index(op.f("ix_audit_event_at"), table_name="audit_event")
    op.drop_table("audit_event")
    op.drop_index(op.f("ix_api_token_user_id"), table_name="api_token")
    op.drop_table("api_token")
    op.drop_index(op.f("ix_user_company_id"), table_name="user")
    op.drop_table("user")
    op.drop_table("qualification")
    op.drop_table("ledger_account")
    op.drop_index(op.f("ix_invitation_company_id"), table_name="invitation")
    op.drop_table("invitation")
    op.drop_table("dealer_counter")
    op.drop_table("account_number")
    op.drop_table("outgoing_mail")
    op.drop_table("company")
