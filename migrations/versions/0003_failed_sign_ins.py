"""Wrong passwords, counted for a quarter of an hour to slow guessing down.

Revision 0003, after 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "failed_sign_in",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email_folded", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_failed_sign_in")),
    )
    op.create_index("ix_failed_sign_in_email_folded", "failed_sign_in", ["email_folded", "tried_at"])
    op.create_index("ix_failed_sign_in_address", "failed_sign_in", ["address", "tried_at"])


def downgrade() -> None:
    op.drop_index("ix_failed_sign_in_address", table_name="failed_sign_in")
    op.drop_index("ix_failed_sign_in_email_folded", table_name="failed_sign_in")
    op.drop_table("failed_sign_in")
