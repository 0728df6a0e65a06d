"""Service calls as each side sees them: the desk's list by what is due next, and rows for other pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from referral.errors import Refusal
from referral.ids import PublicNumber, parse_public_number
from referral.models import Company, Referral
from referral.permissions import Viewer
from referral.queries.records import PAGE_ROWS, holds_words
from support.models.agreements import Agreement
from support.models.calls import ServiceCall
from support.queries.seen import calls_seen_by
from support.rules.call_projection import END_OF_TIME
from support.rules.call_words import say_left
from support.states import CallState, Platform, Priority
from warranty.models.sources import InstalledSource, Site

LIVE = "live"
OVERDUE = "overdue"
CALL_TABS: Mapping[str, str] = MappingProxyType(
    {
        "": "Open",
        OVERDUE: "Overdue",
        CallState.PAUSED.value: "Paused",
        CallState.RESOLVED.value: "Resolved",
        CallState.WITHDRAWN.value: "Withdrawn",
    }
)
"""Which calls a list shows, by the word in the address: without one those that are not closed."""
_CLOSED = frozenset({CallState.RESOLVED, CallState.WITHDRAWN})
_Dealer, _Account, _Handler = aliased(Company), aliased(Company), aliased(Company)


@dataclass(frozen=True)
class CallRow:
    """A service call in a list."""

    ref: str
    state: CallState
    priority: Priority | None
    problem: str
    site_name: str
    time_zone: str
    """Of its site."""
    referral_ref: str
    project_name: str
    source_ref: str
    model_number: str
    platform: Platform | None
    dealer_code: str
    dealer_name: str
    account_code: str
    account_name: str
    handler_code: str
    handler_name: str
    agreement_ref: str
    opened_at: datetime
    due_at: datetime | None
    """The next due instant, or the earliest that was missed; None where nothing is due."""
    due_name: str
    attention_at: datetime | None
    """When the desk looks at it first; None once somebody did."""
    is_paging: bool
    missed_count: int

    @property
    def place(self) -> str:
        """Where, and of which unit or kind of system."""
        return call_place_words(self.site_name, self.project_name, self.model_number)

    def left(self, at: datetime) -> str:
        """How long is left until the next due instant, or how long it is over; '' where nothing is due."""
        return "" if self.due_at is None else say_left(self.due_at, at)

    def is_overdue(self, at: datetime) -> bool:
        """Say whether something was missed and is still owed."""
        return self.due_at is not None and self.due_at < at


@dataclass(frozen=True)
class CallFilter:
    """What a list of calls is narrowed to; what is empty narrows nothing."""

    view: str = ""
    """A word of CALL_TABS."""
    priority: Priority | None = None
    handler: str = ""
    """Words of the handler."""
    company: str = ""
    """Words of the dealer and the account."""
    project: str = ""
    agreement: str = ""
    """The number of an agreement."""
    source: str = ""
    """The number of a unit."""


@dataclass(frozen=True)
class CallList:
    """A page of calls; `after` continues the list."""

    rows: tuple[CallRow, ...]
    after: str | None
    at: datetime


def calls_page(
    tx: Session,
    *,
    viewer: Viewer,
    at: datetime,
    asked: CallFilter | None = None,
    after: str | None = None,
    limit: int = PAGE_ROWS,
) -> CallList:
    """Return the calls the viewer may see, `limit` at a time: open ones by what is due next, others newest first.

    Raises Refusal(not_found) for a key that is none.
    """
    narrow = asked or CallFilter()
    statement = _narrowed(calls_seen_by(viewer), narrow)
    if narrow.view in {CallState.RESOLVED.value, CallState.WITHDRAWN.value}:
        statement = statement.where(ServiceCall.state == CallState(narrow.view))
        return _newest(tx, statement, at=at, after=after, limit=limit)
    statement = statement.where(ServiceCall.waits_until.is_not(None))
    if narrow.view == OVERDUE:
        statement = statement.where(ServiceCall.waits_until < at, ServiceCall.due_name != "")
    elif narrow.view:
        statement = statement.where(ServiceCall.state == CallState(narrow.view))
    if after is not None:
        statement = statement.where(_behind(after))
    found = found_calls(tx, statement.order_by(*by_due(ServiceCall)).limit(limit + 1), by_due)
    more = _key(found[limit - 1][0]) if len(found) > limit else None
    return CallList(tuple(call_row(row) for row in found[:limit]), more, at)


def _narrowed(statement: sa.Select[ServiceCall], narrow: CallFilter) -> sa.Select[ServiceCall]:
    """Return the calls that fit: words are looked for in what a call names, call by call in the list's order."""
    if narrow.priority is not None:
        statement = statement.where(ServiceCall.priority == narrow.priority)
    if narrow.project:
        there = (
            sa.exists()
            .where(
                Site.dealer_id == ServiceCall.dealer_id,
                Site.id == ServiceCall.site_id,
                Referral.dealer_id == Site.dealer_id,
                Referral.id == Site.referral_id,
                *holds_words(narrow.project, folded=Referral.project_key),
            )
            .correlate(ServiceCall)
        )
        statement = statement.where(there)
    for words, companies in (
        (narrow.handler, (ServiceCall.handler_id,)),
        (narrow.company, (ServiceCall.dealer_id, ServiceCall.account_id)),
    ):
        for word in holds_words(words, Company.name, Company.code):
            named = sa.select(Company.id).where(word)
            statement = statement.where(sa.or_(*(company.in_(named) for company in companies)))
    if narrow.agreement:
        statement = statement.where(ServiceCall.agreement_id == _id_of("A", narrow.agreement, Agreement))
    if narrow.source:
        statement = statement.where(ServiceCall.source_id == _id_of("U", narrow.source, InstalledSource))
    return statement


def by_due(call: Any) -> tuple[Any, ...]:
    """Return the order of open calls: by what is due next. `call` is the table or a part of it."""
    return call.waits_until, call.dealer_id, call.number


def by_age(call: Any) -> tuple[Any, ...]:
    """Return the order of closed calls: newest first."""
    return (call.id.desc(),)


def found_calls(
    tx: Session, keys: sa.Select[ServiceCall], order: Callable[[Any], tuple[Any, ...]]
) -> Sequence[Any]:
    """Return the calls of a statement with what `call_row` takes: it is cut to its rows before anything is joined."""
    call = aliased(ServiceCall, keys.subquery())
    return tx.execute(
        sa.select(call, Site, Referral, InstalledSource, Agreement, _Dealer, _Account, _Handler)
        .join(Site, sa.and_(Site.dealer_id == call.dealer_id, Site.id == call.site_id))
        .join(Referral, sa.and_(Referral.dealer_id == Site.dealer_id, Referral.id == Site.referral_id))
        .outerjoin(
            InstalledSource,
            sa.and_(InstalledSource.dealer_id == call.dealer_id, InstalledSource.id == call.source_id),
        )
        .outerjoin(
            Agreement, sa.and_(Agreement.dealer_id == call.dealer_id, Agreement.id == call.agreement_id)
        )
        .join(_Dealer, _Dealer.id == call.dealer_id)
        .join(_Account, _Account.id == call.account_id)
        .join(_Handler, _Handler.id == call.handler_id)
        .order_by(*order(call))
    ).all()


def call_row(found: Any) -> CallRow:
    """Return a call as lists show it."""
    call, site, project, source, agreement, dealer, account, handler = found
    is_due = bool(call.due_name) and call.waits_until is not None and call.waits_until < END_OF_TIME
    return CallRow(
        ref=str(PublicNumber("S", dealer.code, call.number)),
        state=call.state,
        priority=call.priority,
        problem=call.problem,
        site_name=site.name,
        time_zone=site.time_zone,
        referral_ref=str(PublicNumber("R", dealer.code, project.number)),
        project_name=project.project_name,
        source_ref="" if source is None else str(PublicNumber("U", dealer.code, source.number)),
        model_number="" if source is None else source.model_number,
        platform=call.platform,
        dealer_code=dealer.code,
        dealer_name=dealer.name,
        account_code=account.code,
        account_name=account.name,
        handler_code=handler.code,
        handler_name=handler.name,
        agreement_ref="" if agreement is None else str(PublicNumber("A", dealer.code, agreement.number)),
        opened_at=call.opened_at,
        due_at=call.waits_until if is_due else None,
        due_name=call.due_name,
        attention_at=call.attention_at,
        is_paging=call.is_paging,
        missed_count=call.missed_count,
    )


def call_place_words(site_name: str, project_name: str, model_number: str) -> str:
    """Return where a call is of, in one line."""
    place = site_name if site_name == project_name else f"{site_name}, {project_name}"
    return f"{model_number} at {place}" if model_number else place


def _newest(
    tx: Session,
    statement: sa.Select[ServiceCall],
    *,
    at: datetime,
    after: str | None,
    limit: int,
) -> CallList:
    """Return closed calls, newest first; their key is an id."""
    if after is not None:
        try:
            statement = statement.where(ServiceCall.id < UUID(after))
        except ValueError as error:
            raise Refusal("not_found") from error
    found = found_calls(tx, statement.order_by(*by_age(ServiceCall)).limit(limit + 1), by_age)
    more = str(found[limit - 1][0].id) if len(found) > limit else None
    return CallList(tuple(call_row(row) for row in found[:limit]), more, at)


def _key(call: ServiceCall) -> str:
    if call.waits_until is None:
        raise ValueError("a closed call waits for nothing")
    return f"{call.waits_until:%Y%m%dT%H%M%S%f}~{call.dealer_id.hex}~{call.number}"


def _behind(after: str) -> sa.ColumnElement[bool]:
    """Return the condition of what stands behind a key in the list by what is due. Raises Refusal(not_found)."""
    try:
        instant, dealer, number = after.split("~")
        at = datetime.strptime(instant, "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)
        dealer_id, count = UUID(dealer), int(number)
    except ValueError as error:
        raise Refusal("not_found") from error
    if not 0 <= count < 1 << 62:
        raise Refusal("not_found")
    return sa.tuple_(ServiceCall.waits_until, ServiceCall.dealer_id, ServiceCall.number) > sa.tuple_(
        sa.bindparam("waits", at, ServiceCall.waits_until.type),
        sa.bindparam("dealer", dealer_id, ServiceCall.dealer_id.type),
        sa.bindparam("count", count, ServiceCall.number.type),
    )


def _id_of(kind: str, text: str, table: type[Agreement | InstalledSource]) -> sa.ScalarSelect[UUID]:
    """Return the statement for the id behind a public number; it finds nothing for a text that is none."""
    said = parse_public_number(text.strip().upper(), kind)
    statement = (
        sa.select(table.id)
        .join(Company, Company.id == table.dealer_id)
        .where(
            *(
                [sa.false()]
                if said is None
                else [Company.code == said.dealer_code, table.number == said.number]
            )
        )
    )
    return statement.scalar_subquery()
