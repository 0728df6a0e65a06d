"""Who is told what about quotes and orders; every one of these mails can wait for a digest."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from quotes.models.quotes import Quote
from quotes.rules.mails import MailText, Project
from referral.models import Referral
from referral.operations.records import queue_mail_to_role
from referral.permissions import Role


def project_of(tx: Session, quote: Quote) -> Project:
    """Return what mails say of a quote's project."""
    referral = tx.get_one(Referral, (quote.dealer_id, quote.referral_id))
    return Project(referral.project_name, referral.place)


def tell_dealer(
    tx: Session, at: datetime, dealer_id: UUID, text: MailText, *, is_digestible: bool = True
) -> None:
    """The dealer's approvers, and whom they lend their right to decide, are owed this mail."""
    _tell(tx, at, dealer_id, Role.DEALER_APPROVER, text, is_digestible)


def tell_account(
    tx: Session, at: datetime, account_id: UUID, text: MailText, *, is_digestible: bool = True
) -> None:
    """The account's builders are owed this mail."""
    _tell(tx, at, account_id, Role.ACCOUNT_BUILDER, text, is_digestible)


def _tell(
    tx: Session, at: datetime, company_id: UUID, role: Role, text: MailText, is_digestible: bool
) -> None:
    queue_mail_to_role(
        tx,
        at=at,
        company_id=company_id,
        role=role,
        subject=text.subject,
        body=text.body,
        path=text.path,
        is_digestible=is_digestible,
    )
