"""What a next revision takes along besides its lines."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.bills import DesignFile
from quotes.models.quotes import Revision
from referral.ids import new_id


def carry_design_files(tx: Session, before: Revision, draft: Revision) -> None:
    """The new draft has the design files of the revision before; the files themselves are kept once."""
    columns = [
        column for column in DesignFile.__table__.columns if column.name not in {"id", "revision_number"}
    ]
    rows = tx.execute(
        sa.select(*columns)
        .where(
            DesignFile.dealer_id == before.dealer_id,
            DesignFile.quote_id == before.quote_id,
            DesignFile.revision_number == before.number,
        )
        .order_by(DesignFile.added_at, DesignFile.id)
    ).all()
    if rows:
        tx.execute(
            sa.insert(DesignFile),
            [{**row._mapping, "id": new_id(), "revision_number": draft.number} for row in rows],  # noqa: SLF001 - the documented name
        )
