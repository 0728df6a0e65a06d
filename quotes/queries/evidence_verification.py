"""Whether every approval, agreement, order, cancellation and return is in its dealer's evidence, and no more."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models.evidence import Evidence
from ledger.states import EvidenceKind
from quotes.models.orders import Cancellation, Order
from quotes.models.quotes import Approval, Quote
from quotes.models.returns import OrderReturn
from quotes.queries.order_digests import approval_digest
from quotes.queries.service_verification import agreed_services
from referral.ids import PublicNumber
from referral.models import Company

_KINDS = (
    EvidenceKind.APPROVAL,
    EvidenceKind.SERVICES,
    EvidenceKind.ORDER,
    EvidenceKind.CANCELLATION,
    EvidenceKind.RETURN,
)


def evidence_faults(tx: Session) -> Iterator[str]:
    """Yield a sentence for each document without its evidence, or evidence without its document."""
    for dealer in tx.scalars(sa.select(Company).where(Company.is_dealer).order_by(Company.id)).all():
        rows = tx.execute(
            sa.select(Evidence.kind, Evidence.subject, Evidence.content_digest)
            .where(Evidence.dealer_id == dealer.id, Evidence.kind.in_(_KINDS))
            .order_by(Evidence.sequence)
        )
        kept: dict[tuple[EvidenceKind, str], str] = {(row[0], row[1]): row[2] for row in rows}
        for kind, subject, digest in _documents(tx, dealer):
            if kept.pop((kind, subject), "") != digest:
                yield f"{kind} {subject}: is not what the evidence of its day says"
        for kind, subject in kept:
            yield f"{kind} {subject}: is in the evidence, but not there"


def _documents(tx: Session, dealer: Company) -> Iterator[tuple[EvidenceKind, str, str]]:
    approvals = tx.execute(
        sa.select(Approval, Quote.number)
        .join(Quote, sa.and_(Quote.dealer_id == Approval.dealer_id, Quote.id == Approval.quote_id))
        .where(Approval.dealer_id == dealer.id)
    )
    for approval, number in approvals:
        quote = PublicNumber("Q", dealer.code, number)
        yield EvidenceKind.APPROVAL, f"{quote}.{approval.revision_number}", approval_digest(approval)
    for quote_number, revision_number, digest in agreed_services(tx, dealer.id):
        quote = PublicNumber("Q", dealer.code, quote_number)
        yield EvidenceKind.SERVICES, f"{quote}.{revision_number}", digest
    for number, digest in tx.execute(
        sa.select(Order.number, Order.digest).where(Order.dealer_id == dealer.id)
    ):
        yield EvidenceKind.ORDER, str(PublicNumber("O", dealer.code, number)), digest
    for kind, table in ((EvidenceKind.CANCELLATION, Cancellation), (EvidenceKind.RETURN, OrderReturn)):
        taken_back = tx.execute(
            sa.select(Order.number, table.number, table.digest)
            .join(Order, sa.and_(Order.dealer_id == table.dealer_id, Order.id == table.order_id))
            .where(table.dealer_id == dealer.id)
        )
        for number, count, digest in taken_back:
            yield kind, f"{PublicNumber('O', dealer.code, number)}.{count}", digest
