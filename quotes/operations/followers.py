"""Who follows an order: upper floors that keep something of what shipped, told in the same transaction.

A call never goes up, so the roof names the followers once, and the operations of orders tell them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from sqlalchemy.orm import Session

from quotes.models.orders import Order
from referral.permissions import Viewer


class Follower(Protocol):
    """Something that keeps up with an order."""

    def __call__(self, tx: Session, *, actor: Viewer | None, at: datetime, order: Order) -> object:
        """Keep up with all that shipped, came back and was replaced of the locked order; again changes nothing."""


_followers: tuple[Follower, ...] = ()


def set_followers(*followers: Follower) -> None:
    """From now on these are told. Called by the roof, whenever it makes an application."""
    global _followers  # noqa: PLW0603 - filled once, at the start, like a table of routes
    _followers = followers


def tell_followers(tx: Session, *, actor: Viewer, at: datetime, order: Order) -> None:
    """Every follower has kept up with the order, or the transaction fails."""
    tx.flush()
    for follow in _followers:
        follow(tx, actor=actor, at=at, order=order)
