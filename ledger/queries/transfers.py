"""What a transfer would do to both dealers."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models.accounts import LedgerAccount
from ledger.queries.statements import dealer_seen_by
from ledger.states import AccountKind
from referral.permissions import Viewer


@dataclass(frozen=True)
class TransferSide:
    """One dealer's account before and after."""

    dealer_code: str
    dealer_name: str
    balance_cents: int
    amount_cents: int

    @property
    def balance_after_cents(self) -> int:
        """Of the account afterwards, if nothing else is posted meanwhile."""
        return self.balance_cents + self.amount_cents


def transfer_preview(
    tx: Session,
    *,
    viewer: Viewer,
    from_dealer_code: str,
    to_dealer_code: str,
    account_kind: AccountKind,
    program_year: int,
    amount_cents: int,
) -> tuple[TransferSide, ...]:
    """Return both sides, the giver first. Raises Refusal(not_found)."""
    sides = ((from_dealer_code, -amount_cents), (to_dealer_code, amount_cents))
    return tuple(_side(tx, viewer, code, account_kind, program_year, amount) for code, amount in sides)


def _side(
    tx: Session, viewer: Viewer, code: str, account_kind: AccountKind, program_year: int, amount_cents: int
) -> TransferSide:
    dealer = dealer_seen_by(tx, viewer, code)
    balance = tx.scalars(
        sa.select(LedgerAccount.balance_cents).where(
            LedgerAccount.dealer_id == dealer.id,
            LedgerAccount.program_year == program_year,
            LedgerAccount.kind == account_kind,
        )
    ).one_or_none()
    return TransferSide(dealer.code, dealer.name, balance or 0, amount_cents)
