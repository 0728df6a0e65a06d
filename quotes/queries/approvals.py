"""Who approved, in words."""

from __future__ import annotations

from sqlalchemy.orm import Session

from quotes.models.quotes import Approval
from referral.models import User


def approver_words(tx: Session, approval: Approval) -> str:
    """Return who approved; of a delegate: Ann Lee on behalf of Bob Ray."""
    name = tx.get_one(User, approval.approved_by).name
    if approval.on_behalf_of is None:
        return name
    return f"{name} on behalf of {tx.get_one(User, approval.on_behalf_of).name}"
