"""Agreements as each side sees them, in lists."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from referral.errors import Refusal
from referral.ids import PublicNumber
from referral.models import Company
from referral.permissions import Viewer
from referral.queries.records import PAGE_ROWS, holds_words
from referral.queries.settings import today
from support.models.agreements import Agreement, AgreementPrice
from support.models.catalogue import CatalogueEntry
from support.queries.agreement_sites import AgreementSiteRow, sites_of_agreements
from support.queries.seen import agreements_seen_by
from support.states import AgreementState

ACTIVE, COMING, ENDED = "active", "coming", "ended"
STANDING_WORDS: Mapping[str, str] = MappingProxyType(
    {
        AgreementState.DRAFT.value: "To be priced",
        AgreementState.OFFERED.value: "To be accepted",
        ACTIVE: "Active",
        COMING: "Starts later",
        ENDED: "Ended",
        AgreementState.TERMINATED.value: "Terminated",
        AgreementState.DECLINED.value: "Declined",
        AgreementState.WITHDRAWN.value: "Withdrawn",
    }
)
"""Where an agreement stands, as lists say it: one that is accepted is active from its first to its last day."""
WORKBOOK_ROWS = 500
"""Rows that are read at once for a workbook."""
_PLACE = re.compile(r"\A([0-9]{4}-[0-9]{2}-[0-9]{2})_([0-9a-f-]{36})\Z")
_Dealer = aliased(Company)


def standing_of(state: AgreementState, starts_on: date, last_on: date, day: date) -> str:
    """Return where an agreement stands on a day, as one of STANDING_WORDS."""
    if state is not AgreementState.ACCEPTED:
        return state.value
    if day < starts_on:
        return COMING
    return ENDED if day > last_on else ACTIVE


def stands(standing: str, day: date) -> sa.ColumnElement[bool]:
    """Return the condition that an agreement stands so on a day."""
    is_accepted = Agreement.state == AgreementState.ACCEPTED
    if standing == COMING:
        return sa.and_(is_accepted, Agreement.starts_on > day)
    if standing == ENDED:
        return sa.and_(is_accepted, Agreement.last_on < day)
    if standing == ACTIVE:
        return sa.and_(is_accepted, Agreement.starts_on <= day, Agreement.last_on >= day)
    return Agreement.state == AgreementState(standing)


def ending_within(days: int, day: date) -> sa.ColumnElement[bool]:
    """Return the condition that an accepted agreement ends in so many days from a day on, and that day too."""
    return sa.and_(
        Agreement.state == AgreementState.ACCEPTED,
        Agreement.last_on >= day,
        Agreement.last_on <= day + timedelta(days=days),
    )


def successor_of(tx: Session, agreement: Agreement) -> str | None:
    """Return the number of the agreement that continues this one, if there is one that was not withdrawn."""
    found = tx.execute(
        sa.select(Agreement.number, _Dealer.code)
        .join(_Dealer, _Dealer.id == Agreement.dealer_id)
        .where(
            Agreement.dealer_id == agreement.dealer_id,
            Agreement.renews_id == agreement.id,
            Agreement.state != AgreementState.WITHDRAWN,
        )
        .order_by(Agreement.number.desc())
        .limit(1)
    ).one_or_none()
    return None if found is None else str(PublicNumber("A", found.code, found.number))


@dataclass(frozen=True)
class AgreementRow:
    """An agreement in a list."""

    ref: str
    state: AgreementState
    standing: str
    """One of STANDING_WORDS."""
    offer_key: str
    offer_name: str
    offer_version: int
    customer: str
    dealer_code: str
    dealer_name: str
    sites: tuple[str, ...]
    starts_on: date
    last_on: date
    months: int
    days_left: int | None
    """From today to the last day of one that is accepted; below 0 once that is past."""
    net_cents: int | None
    """All contract years together; None before it is priced."""
    made_at: datetime
    is_continued: bool
    """Whether another continues it."""

    @property
    def standing_words(self) -> str:
        """Where it stands, in words."""
        return STANDING_WORDS[self.standing]

    @property
    def sites_words(self) -> str:
        """Its first site, and how many more there are."""
        more = len(self.sites) - 1
        return (self.sites[0] if self.sites else "") + (f" and {more} more" if more > 0 else "")


@dataclass(frozen=True)
class AgreementFilter:
    """What a list of agreements is narrowed to; what is empty narrows nothing."""

    standing: str = ""
    """One of STANDING_WORDS."""
    offer: str = ""
    """Words of the offer's name, or its key."""
    customer: str = ""
    company: str = ""
    """Words of the dealer."""
    within: int | None = None
    """Accepted, and ending within so many days; then those that end first stand first."""


@dataclass(frozen=True)
class AgreementList:
    """A page of agreements; `after` continues the list."""

    rows: tuple[AgreementRow, ...]
    after: str | None


def agreements_page(
    tx: Session,
    *,
    viewer: Viewer,
    at: datetime,
    asked: AgreementFilter | None = None,
    after: str | None = None,
    limit: int = PAGE_ROWS,
) -> AgreementList:
    """Return agreements the viewer may see, newest first, `limit` at a time. Raises Refusal(not_found).

    Those that end within a number of days stand in order of their last day.
    """
    narrow, day = asked or AgreementFilter(), today(tx, at)
    statement = found_by(viewer).where(
        *holds_words(narrow.customer, Agreement.customer),
        *holds_words(narrow.company, _Dealer.name, _Dealer.code),
        *holds_words(narrow.offer, CatalogueEntry.name, CatalogueEntry.key),
    )
    if narrow.standing:
        statement = statement.where(stands(narrow.standing, day))
    if narrow.within is None:
        if after is not None:
            statement = statement.where(Agreement.id < read_place(after)[1])
        statement = statement.order_by(Agreement.id.desc())
    else:
        statement = statement.where(ending_within(narrow.within, day))
        if after is not None:
            last_on, key = read_place(after)
            if last_on is None:
                raise Refusal("not_found")
            statement = statement.where(
                sa.or_(Agreement.last_on > last_on, sa.and_(Agreement.last_on == last_on, Agreement.id > key))
            )
        statement = statement.order_by(Agreement.last_on, Agreement.id)
    found = tx.execute(statement.limit(limit + 1)).all()
    rows = rows_of(tx, found[:limit], day)
    place = None
    if len(found) > limit:
        last = found[limit - 1][0]
        place = str(last.id) if narrow.within is None else f"{last.last_on.isoformat()}_{last.id}"
    return AgreementList(rows, place)


def agreement_rows(
    tx: Session, *, viewer: Viewer, at: datetime, asked: AgreementFilter
) -> Iterator[AgreementRow]:
    """Yield every agreement of the filtered list, read piece by piece while they are taken."""
    after: str | None = None
    while True:
        page = agreements_page(tx, viewer=viewer, at=at, asked=asked, after=after, limit=WORKBOOK_ROWS)
        yield from page.rows
        after = page.after
        if after is None:
            return
        tx.expunge_all()


def read_place(text: str) -> tuple[date | None, UUID]:
    """Read the place in a list that it continues after. Raises Refusal(not_found)."""
    match = _PLACE.match(text)
    try:
        if match is None:
            return None, UUID(text)
        return date.fromisoformat(match[1]), UUID(match[2])
    except ValueError as error:
        raise Refusal("not_found") from error


def found_by(viewer: Viewer) -> sa.Select[Any]:
    """Return the statement of visible agreements with their offer and dealer, as `rows_of` takes them."""
    return (
        agreements_seen_by(viewer)
        .add_columns(CatalogueEntry.key, CatalogueEntry.name, CatalogueEntry.version, _Dealer)
        .join(CatalogueEntry, CatalogueEntry.id == Agreement.offer_id)
        .join(_Dealer, _Dealer.id == Agreement.dealer_id)
    )


def rows_of(tx: Session, found: Sequence[Any], day: date) -> tuple[AgreementRow, ...]:
    """Return agreements as lists show them: three statements more, however many there are."""
    agreements: list[Agreement] = [row[0] for row in found]
    if not agreements:
        return ()
    sites: dict[UUID, list[AgreementSiteRow]] = sites_of_agreements(tx, agreements)
    ids = [each.id for each in agreements]
    dealers = {each.dealer_id for each in agreements}
    nets: dict[UUID, int] = dict(
        tx.execute(
            sa.select(AgreementPrice.agreement_id, sa.func.sum(AgreementPrice.net_cents))
            .where(AgreementPrice.dealer_id.in_(dealers), AgreementPrice.agreement_id.in_(ids))
            .group_by(AgreementPrice.agreement_id)
        ).all()
    )
    continued = set(
        tx.scalars(
            sa.select(Agreement.renews_id).where(
                Agreement.dealer_id.in_(dealers),
                Agreement.renews_id.in_(ids),
                Agreement.state != AgreementState.WITHDRAWN,
            )
        )
    )
    return tuple(
        AgreementRow(
            ref=str(PublicNumber("A", dealer.code, each.number)),
            state=each.state,
            standing=standing_of(each.state, each.starts_on, each.last_on, day),
            offer_key=key,
            offer_name=name,
            offer_version=version,
            customer=each.customer,
            dealer_code=dealer.code,
            dealer_name=dealer.name,
            sites=tuple(row.words for row in sites.get(each.id, ())),
            starts_on=each.starts_on,
            last_on=each.last_on,
            months=each.months,
            days_left=(each.last_on - day).days if each.state is AgreementState.ACCEPTED else None,
            net_cents=int(nets[each.id]) if each.id in nets else None,
            made_at=each.made_at,
            is_continued=each.id in continued,
        )
        for each, key, name, version, dealer in found
    )
