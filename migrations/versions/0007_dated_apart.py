"""Small indexes for looking back: entries dated apart from their posting, and entries that take others back.

Revision 0007, after 0006.

Both are partial: an order entered and posted on the same day of UTC is in neither.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the two indexes."""
    op.create_index(
        "ix_ledger_entry_dated_apart",
        "ledger_entry",
        ["dealer_id", "program_year", "account_kind", "sequence", "effective_on", "amount_cents"],
        sqlite_where=sa.text("effective_on <> date(posted_at)"),
        postgresql_where=sa.text("effective_on <> (posted_at AT TIME ZONE 'UTC')::date"),
    )
    op.create_index(
        "ix_ledger_entry_related",
        "ledger_entry",
        ["dealer_id", "related_entry_id"],
        sqlite_where=sa.text("related_entry_id IS NOT NULL"),
        postgresql_where=sa.text("related_entry_id IS NOT NULL"),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_ledger_entry_related", table_name="ledger_entry")
    op.drop_index("ix_ledger_entry_dated_apart", table_name="ledger_entry")
