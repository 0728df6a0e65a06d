"""Completeness: what was quoted and approved against what was ordered, shipped, taken back and credited."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.queries.statements import sees_credit_of
from quotes.models.orders import CancellationLine, OrderLine
from quotes.models.quotes import Approval, Quote, Revision, RevisionLine
from quotes.models.returns import OrderReturnLine
from quotes.models.shipments import ShipmentLine
from quotes.queries.quotes import quotes_seen_by
from quotes.rules.rooms import by_room
from quotes.states import RevisionState
from referral.ids import PublicNumber
from referral.models import Referral
from referral.permissions import Viewer
from referral.queries.exchange_rates import program_currency

ASKING = (RevisionState.SUBMITTED, RevisionState.CHANGES_REQUESTED, RevisionState.APPROVED)
"""Revisions in these states are what the account offers now."""

Key = tuple[UUID, UUID]
"""Quote and line: the line keeps its id from revision to revision."""


@dataclass(frozen=True)
class LineCompleteness:
    """One product line of a project over all revisions and orders."""

    quote_ref: str
    line_id: UUID
    model_number: str
    description: str
    room: str
    currency: str
    list_price_cents: int
    quoted_quantity: int
    """In the newest revision that is offered, or that was approved."""
    approved_quantity: int
    """In the newest revision that was approved."""
    ordered_quantity: int
    """Ordered and not cancelled, over all revisions."""
    shipped_quantity: int
    returned_quantity: int
    credit_cents: int
    """What it earned and keeps, in the program's currency."""

    @property
    def missing_quantity(self) -> int:
        """What is approved and not ordered."""
        return max(self.approved_quantity - self.ordered_quantity, 0)

    @property
    def missing_cents(self) -> int:
        """The list price of what is approved and not ordered."""
        return self.missing_quantity * self.list_price_cents

    @property
    def is_dropped(self) -> bool:
        """Say whether more of it is ordered than the newest approval names."""
        return self.ordered_quantity > self.approved_quantity


@dataclass(frozen=True)
class QuoteCompleteness:
    """How far a quote of the project is ordered."""

    ref: str
    approved_revision: int | None
    expires_on: date | None
    """The last day on which the rest of the approval can be ordered; None without approval."""
    is_expired: bool
    waiting_revision: int | None
    """A revision that is offered and not approved yet."""


@dataclass(frozen=True)
class Completeness:
    """A project's product lines with their sums."""

    quotes: tuple[QuoteCompleteness, ...]
    lines: tuple[LineCompleteness, ...]
    credit_currency: str
    shows_credit: bool

    @property
    def missing(self) -> tuple[LineCompleteness, ...]:
        """The lines of which something is approved and not ordered."""
        return tuple(line for line in self.lines if line.missing_quantity)

    @property
    def missing_units(self) -> int:
        """How many units are approved and not ordered."""
        return sum(line.missing_quantity for line in self.lines)

    @property
    def missing_cents(self) -> tuple[tuple[str, int], ...]:
        """(currency, cents) of what is approved and not ordered, at list price."""
        sums: Counter[str] = Counter()
        for line in self.missing:
            sums[line.currency] += line.missing_cents
        return tuple(sorted(sums.items()))

    @property
    def credit_cents(self) -> int:
        """What the project's orders earned and keep."""
        return sum(line.credit_cents for line in self.lines)

    def total(self, name: str) -> int:
        """Return the sum of one of the quantities, such as `ordered`."""
        quantities = {
            "quoted": [line.quoted_quantity for line in self.lines],
            "approved": [line.approved_quantity for line in self.lines],
            "ordered": [line.ordered_quantity for line in self.lines],
            "missing": [line.missing_quantity for line in self.lines],
            "shipped": [line.shipped_quantity for line in self.lines],
            "returned": [line.returned_quantity for line in self.lines],
        }
        return sum(quantities[name])


# one project ------------------------------------------------------------------------------------


def completeness_of(
    tx: Session, *, viewer: Viewer, referral: Referral, dealer_code: str, day: date
) -> Completeness:
    """Return a project's completeness, in eight statements whatever its size.

    A line that was ordered and is on no newest revision any more is listed too. The credit is 0 where the
    viewer does not see the dealer's.
    """
    quotes = tx.scalars(
        quotes_seen_by(viewer)
        .where(Quote.dealer_id == referral.dealer_id, Quote.referral_id == referral.id)
        .order_by(Quote.number)
    ).all()
    own, shows_credit = program_currency(tx, day), sees_credit_of(viewer, dealer_code)
    if not quotes:
        return Completeness((), (), own, shows_credit)
    revisions = _revisions(tx, quotes)
    approved = _newest_approved(tx, quotes)
    quoted = {quote.id: _offered(revisions, quote.id) or approved.get(quote.id) for quote in quotes}
    done = _done(tx, quotes)
    refs = {quote.id: str(PublicNumber("Q", dealer_code, quote.number)) for quote in quotes}
    lines: dict[Key, RevisionLine] = {}
    in_quoted: dict[Key, int] = {}
    in_approved: dict[Key, int] = {}
    for line in _lines(tx, quotes, quoted, approved, done):
        key = (line.quote_id, line.line_id)
        lines[key] = line  # the newest revision that has it comes last
        if line.revision_number == quoted[line.quote_id]:
            in_quoted[key] = line.quantity
        if line.revision_number == approved.get(line.quote_id):
            in_approved[key] = line.quantity
    rows = [
        LineCompleteness(
            quote_ref=refs[key[0]],
            line_id=key[1],
            model_number=line.model_number,
            description=line.description,
            room=line.room,
            currency=revisions[key[0], line.revision_number].currency or own,
            list_price_cents=line.list_price_cents,
            quoted_quantity=in_quoted.get(key, 0),
            approved_quantity=in_approved.get(key, 0),
            ordered_quantity=done[key].units,
            shipped_quantity=done[key].shipped,
            returned_quantity=done[key].returned,
            credit_cents=done[key].credit_cents if shows_credit else 0,
        )
        for key, line in lines.items()
        if key in in_quoted or key in in_approved or done[key].ordered
    ]
    numbers = {quote.id: quote.number for quote in quotes}
    positions = {(refs[key[0]], key[1]): (numbers[key[0]], lines[key].position) for key in lines}
    rows.sort(key=lambda row: (positions[row.quote_ref, row.line_id], str(row.line_id)))
    return Completeness(
        quotes=tuple(_quote(refs[quote.id], quote.id, revisions, approved, day) for quote in quotes),
        lines=by_room(rows, lambda row: (row.quote_ref, row.room)),
        credit_currency=own,
        shows_credit=shows_credit,
    )


def _quote(
    ref: str,
    quote_id: UUID,
    revisions: dict[tuple[UUID, int], Revision],
    approved: dict[UUID, int],
    day: date,
) -> QuoteCompleteness:
    number, offered = approved.get(quote_id), _offered(revisions, quote_id)
    expires_on = None if number is None else revisions[quote_id, number].expires_on
    return QuoteCompleteness(
        ref=ref,
        approved_revision=number,
        expires_on=expires_on,
        is_expired=expires_on is not None and expires_on < day,
        waiting_revision=offered if offered != number else None,
    )


def _revisions(tx: Session, quotes: Sequence[Quote]) -> dict[tuple[UUID, int], Revision]:
    """Return the revisions that were submitted, by quote and number."""
    found = tx.scalars(
        sa.select(Revision).where(*_of(Revision, quotes), Revision.state != RevisionState.DRAFT)
    )
    return {(row.quote_id, row.number): row for row in found}


def _offered(revisions: dict[tuple[UUID, int], Revision], quote_id: UUID) -> int | None:
    numbers = [key[1] for key, row in revisions.items() if key[0] == quote_id and row.state in ASKING]
    return max(numbers, default=None)


def _of(table: Any, quotes: Sequence[Quote]) -> tuple[sa.ColumnElement[bool], ...]:
    return table.dealer_id == quotes[0].dealer_id, table.quote_id.in_([quote.id for quote in quotes])


def _newest_approved(tx: Session, quotes: Sequence[Quote]) -> dict[UUID, int]:
    found = tx.execute(
        sa.select(Approval.quote_id, sa.func.max(Approval.revision_number))
        .where(*_of(Approval, quotes))
        .group_by(Approval.quote_id)
    )
    return {quote_id: number for quote_id, number in found}  # noqa: C416 - rows, made into pairs


def _lines(
    tx: Session,
    quotes: Sequence[Quote],
    quoted: dict[UUID, int | None],
    approved: dict[UUID, int],
    done: _Standings,
) -> Sequence[RevisionLine]:
    """Return the lines of the revisions that count, the oldest first: quoted, approved, last ordered from."""
    numbers = {(quote_id, number) for quote_id, number in quoted.items() if number is not None}
    numbers |= set(approved.items()) | {(key[0], one.revision) for key, one in done.items()}
    if not numbers:
        return ()
    wanted = sa.or_(
        *(
            sa.and_(
                RevisionLine.quote_id == quote.id,
                RevisionLine.revision_number.in_(sorted(n for id_, n in numbers if id_ == quote.id)),
            )
            for quote in quotes
        )
    )
    return tx.scalars(
        sa.select(RevisionLine)
        .where(*_of(RevisionLine, quotes), wanted)
        .order_by(RevisionLine.revision_number, RevisionLine.quote_id, RevisionLine.position)
    ).all()


@dataclass
class _Done:
    """What became of a line over all orders."""

    revision: int = 0
    ordered: int = 0
    cancelled: int = 0
    shipped: int = 0
    returned: int = 0
    credit_cents: int = 0

    @property
    def units(self) -> int:
        """Ordered and not cancelled."""
        return self.ordered - self.cancelled


class _Standings(dict[Key, _Done]):
    """What became of each line; one that nobody ordered has nothing."""

    def __missing__(self, key: Key) -> _Done:
        return _Done()


def _done(tx: Session, quotes: Sequence[Quote]) -> _Standings:
    done = _Standings()
    ordered = tx.execute(
        sa.select(
            OrderLine.quote_id,
            OrderLine.line_id,
            sa.func.max(OrderLine.revision_number),
            sa.func.sum(OrderLine.quantity),
            sa.func.sum(OrderLine.credit_cents),
        )
        .where(*_of(OrderLine, quotes))
        .group_by(OrderLine.quote_id, OrderLine.line_id)
    )
    for quote_id, line_id, revision, quantity, credit_cents in ordered:
        done[quote_id, line_id] = _Done(revision, int(quantity), credit_cents=int(credit_cents))
    for key, quantity, credit_cents in _after(tx, quotes, CancellationLine, CancellationLine.credit_cents):
        done[key].cancelled = quantity
        done[key].credit_cents -= credit_cents
    for key, quantity, credit_cents in _after(tx, quotes, OrderReturnLine, OrderReturnLine.credit_cents):
        done[key].returned = quantity
        done[key].credit_cents -= credit_cents
    for key, quantity, _ in _after(tx, quotes, ShipmentLine, sa.literal(0)):
        done[key].shipped = quantity
    return done


def _after(
    tx: Session,
    quotes: Sequence[Quote],
    table: type[CancellationLine | OrderReturnLine | ShipmentLine],
    cents: Any,
) -> list[tuple[Key, int, int]]:
    """Return how many units of each line the rows of this table hold, and the sum of their cents."""
    found = tx.execute(
        sa.select(OrderLine.quote_id, OrderLine.line_id, sa.func.sum(table.quantity), sa.func.sum(cents))
        .join(
            table,
            sa.and_(
                table.dealer_id == OrderLine.dealer_id,
                table.order_id == OrderLine.order_id,
                table.line_id == OrderLine.line_id,
            ),
        )
        .where(*_of(OrderLine, quotes))
        .group_by(OrderLine.quote_id, OrderLine.line_id)
    )
    return [((row[0], row[1]), int(row[2]), int(row[3])) for row in found]
