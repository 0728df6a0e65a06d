"""The receipt of an order: where its credit stands in the ledger."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models.accounts import LedgerEntry
from ledger.rules.checkpoints import Receipt
from quotes.queries.orders import order_by_ref
from referral.errors import Refusal
from referral.models import Company
from referral.permissions import Viewer
from referral.queries.referrals import dealer_of_number


def order_receipt(tx: Session, *, viewer: Viewer, ref: str) -> Receipt | None:
    """Return the receipt of an order the viewer may see, not signed yet; None where it earns no credit.

    Raises Refusal(not_found).
    """
    dealer_id, number = dealer_of_number(tx, ref, "O")
    order = tx.scalars(order_by_ref(viewer, dealer_id, number)).one_or_none()
    if order is None:
        raise Refusal("not_found")
    if order.entry_id is None:
        return None
    entry = tx.scalars(
        sa.select(LedgerEntry).where(LedgerEntry.dealer_id == dealer_id, LedgerEntry.id == order.entry_id)
    ).one()
    return Receipt(
        order=ref,
        dealer_code=tx.get_one(Company, dealer_id).code,
        program_year=entry.program_year,
        account_kind=entry.account_kind.value,
        sequence=entry.sequence,
        amount_cents=entry.amount_cents,
        posting_digest=entry.digest,
    )
