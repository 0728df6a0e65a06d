"""Bearer tokens for tests of the API, without the price of a password hash."""

from __future__ import annotations

from typing import TYPE_CHECKING

from referral.clock import now
from referral.operations.people import issue_api_token

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from referral.permissions import Viewer


def token_of(tx: Session, viewer: Viewer) -> str:
    """A token of this person that is valid now: the API reads the clock."""
    _, token = issue_api_token(tx, at=now(), user_id=viewer.user_id)
    tx.flush()
    return token
