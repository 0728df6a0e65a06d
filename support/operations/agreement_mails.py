"""Who is told what about agreements; every one of these mails can wait for a digest."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.operations.mails import tell_account
from quotes.rules.mails import MailText
from referral.models import Company
from referral.operations.records import queue_mail_to_role
from referral.permissions import Role
from support.models.agreements import Agreement
from support.models.catalogue import CatalogueEntry
from support.queries.agreement_sites import sites_of_agreements
from support.queries.agreement_terms import ref_of_agreement
from support.rules import agreement_mails as mails


def mail_words(tx: Session, agreement: Agreement) -> mails.AgreementWords:
    """Return what mails say of an agreement."""
    sites = sites_of_agreements(tx, [agreement]).get(agreement.id, [])
    return mails.AgreementWords(
        ref=ref_of_agreement(tx, dealer_id=agreement.dealer_id, number=agreement.number),
        offer=tx.get_one(CatalogueEntry, agreement.offer_id).name,
        customer=agreement.customer,
        sites=tuple(row.words for row in sites),
        starts_on=agreement.starts_on,
        last_on=agreement.last_on,
    )


def tell_program(tx: Session, at: datetime, text: MailText) -> None:
    """The program's admins are owed this mail."""
    for company_id in tx.scalars(sa.select(Company.id).where(Company.is_program).order_by(Company.id)):
        queue_mail_to_role(
            tx,
            at=at,
            company_id=company_id,
            role=Role.PROGRAM_ADMIN,
            subject=text.subject,
            body=text.body,
            path=text.path,
            is_digestible=True,
        )


def tell_accounts(tx: Session, at: datetime, agreement: Agreement, text: MailText) -> None:
    """The qualified accounts of the agreement's sites are owed this mail, each once."""
    sites = sites_of_agreements(tx, [agreement]).get(agreement.id, [])
    for account_id in sorted({row.account_id for row in sites}):
        tell_account(tx, at, account_id, text)
