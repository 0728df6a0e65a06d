"""One search over everything the viewer may see: numbers, projects, purchase orders, companies, items, people."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.models.disputes import Dispute
from ledger.queries.disputes import disputes_seen_by
from quotes.models.orders import Order
from quotes.models.quotes import Quote
from quotes.models.shipments import Shipment
from quotes.queries.orders import orders_seen_by
from quotes.queries.price_lists import price_list_on, search_items
from quotes.queries.quotes import quotes_seen_by
from referral.errors import Refusal
from referral.ids import PublicNumber, parse_public_number
from referral.models import AccountNumber, Company, Referral, User
from referral.money import format_cents
from referral.permissions import CompanyKind, Permission, Viewer
from referral.queries.people import companies_managed_by
from referral.queries.records import holds_words
from referral.queries.referrals import referrals_seen_by
from referral.queries.settings import today
from referral.text import fold_account_number

HITS = 8
"""How many of a kind are shown, the newest first."""
_PART = re.compile(r"(?:([A-Z])-)?(?:([A-Z0-9]{3,8})-)?([1-9][0-9]{0,8})")
_KIND_ENDPOINTS = {
    "R": ("referral.show_referral", Permission.REFERRAL_VIEW),
    "Q": ("quotes.show_quote", Permission.QUOTE_VIEW),
    "O": ("quotes.show_order", Permission.ORDER_VIEW),
    "D": ("ledger.show_dispute", Permission.CREDIT_VIEW),
}


@dataclass(frozen=True)
class Place:
    """A page: its endpoint and what its address carries."""

    endpoint: str
    values: Mapping[str, object]


@dataclass(frozen=True)
class Hit:
    """One thing that was found."""

    label: str
    detail: str
    place: Place


@dataclass(frozen=True)
class HitGroup:
    """What was found of one kind; `more` is the list that shows all of it, where there is more."""

    title: str
    hits: tuple[Hit, ...]
    has_more: bool
    more: Place | None


@dataclass(frozen=True)
class Searcher:
    """How a floor is searched; the roof names those of all floors."""

    page: Callable[..., Place | None]
    """The page of a whole public number: `(tx, viewer, words)`."""
    find: Callable[..., tuple[HitGroup, ...]]
    """What fits the words: `(tx, viewer, at, words)`."""


def first_page(tx: Session, *, searchers: Sequence[Searcher], viewer: Viewer, words: str) -> Place | None:
    """Return the page of a whole public number of any floor, or None."""
    pages = (each.page(tx, viewer=viewer, words=words) for each in searchers)
    return next((page for page in pages if page is not None), None)


def search_all(
    tx: Session, *, searchers: Sequence[Searcher], viewer: Viewer, at: datetime, words: str
) -> tuple[HitGroup, ...]:
    """Return what fits the words on every floor, by kind."""
    return tuple(group for each in searchers for group in each.find(tx, viewer=viewer, at=at, words=words))


def page_of_number(tx: Session, *, viewer: Viewer, words: str) -> Place | None:
    """Return the page of a whole public number such as Q-HARBOR-12, or None.

    None also where the viewer may not see it: an unknown number and another company's are answered alike.
    """
    text = words.upper()
    number = parse_public_number(text, text[:1])
    if number is None or number.kind not in _KIND_ENDPOINTS:
        return None
    endpoint, permission = _KIND_ENDPOINTS[number.kind]
    seen: dict[str, tuple[Any, Callable[[Viewer], sa.Select[Any]]]] = {
        "R": (Referral, referrals_seen_by),
        "Q": (Quote, quotes_seen_by),
        "O": (Order, orders_seen_by),
        "D": (Dispute, disputes_seen_by),
    }
    table, seen_by = seen[number.kind]
    found = tx.execute(
        seen_by(viewer)
        .select_from(table)
        .join(Company, Company.id == table.dealer_id)
        .where(Company.code == number.dealer_code, table.number == number.number)
        .with_only_columns(table.number)
    ).first()
    return Place(endpoint, {"ref": text}) if found and viewer.may(permission) else None


def search(tx: Session, *, viewer: Viewer, at: datetime, words: str) -> tuple[HitGroup, ...]:
    """Return what fits the words, by kind, of what the viewer may see; a kind without a hit is left out.

    The number of statements depends on the viewer's permissions alone.
    """
    kinds: Sequence[tuple[Permission, Callable[[], HitGroup]]] = (
        (Permission.REFERRAL_VIEW, lambda: _referrals(tx, viewer, words)),
        (Permission.QUOTE_VIEW, lambda: _quotes(tx, viewer, words)),
        (Permission.ORDER_VIEW, lambda: _orders(tx, viewer, words)),
        (Permission.COMPANY_VIEW, lambda: _companies(tx, words)),
        (Permission.PRICE_LIST_VIEW, lambda: _items(tx, viewer, at, words)),
        (Permission.USER_MANAGE, lambda: _people(tx, viewer, words)),
    )
    groups = [find() for permission, find in kinds if viewer.may(permission)] if words.strip() else []
    return tuple(group for group in groups if group.hits)


def _group(title: str, hits: Sequence[Hit], more: Place | None = None) -> HitGroup:
    return HitGroup(title, tuple(hits[:HITS]), len(hits) > HITS, more if len(hits) > HITS else None)


def _has_number(words: str, kind: str, number: Any) -> sa.ColumnElement[bool]:
    """Whether a thing has this number: 12, HARBOR-12 or Q-HARBOR-12."""
    match = _PART.fullmatch(words.strip().upper())
    if match is None or match[1] not in {None, kind}:
        return sa.false()
    same = number == int(match[3])
    return same if match[2] is None else sa.and_(same, Company.code == match[2])


def _referrals(tx: Session, viewer: Viewer, words: str) -> HitGroup:
    """By number, project, place, and the client's name where the viewer may see it."""
    shows_client: list[sa.ColumnElement[bool]] = [Referral.client_shared.is_(True)]
    if viewer.acts_as(CompanyKind.DEALER):
        shows_client.append(Referral.dealer_id == viewer.company_id)
    if viewer.acts_as(CompanyKind.PROGRAM):
        shows_client.append(sa.true())
    rows = tx.execute(
        referrals_seen_by(viewer)
        .select_from(Referral)
        .join(Company, Company.id == Referral.dealer_id)
        .add_columns(Company.code)
        .where(
            sa.or_(
                _has_number(words, "R", Referral.number),
                sa.and_(*holds_words(words, folded=Referral.project_key)),
                sa.and_(sa.or_(*shows_client), *holds_words(words, Referral.client_name)),
            )
        )
        .order_by(Referral.id.desc())
        .limit(HITS + 1)
    )
    hits = [
        _numbered("R", code, row.number, f"{row.project_name}, {row.place}", "referral.show_referral")
        for row, code in rows
    ]
    return _group("Referrals", hits, Place("referral.referrals", {"words": words}))


def _numbered(kind: str, code: str, number: int, detail: str, endpoint: str) -> Hit:
    ref = str(PublicNumber(kind, code, number))
    return Hit(ref, detail, Place(endpoint, {"ref": ref}))


def _quotes(tx: Session, viewer: Viewer, words: str) -> HitGroup:
    """By number and project."""
    rows = tx.execute(
        quotes_seen_by(viewer)
        .select_from(Quote)
        .join(Referral, sa.and_(Referral.dealer_id == Quote.dealer_id, Referral.id == Quote.referral_id))
        .join(Company, Company.id == Quote.dealer_id)
        .add_columns(Referral.project_name, Referral.place, Company.code)
        .where(
            sa.or_(
                _has_number(words, "Q", Quote.number),
                sa.and_(*holds_words(words, folded=Referral.project_key)),
            )
        )
        .order_by(Quote.id.desc())
        .limit(HITS + 1)
    )
    hits = [
        _numbered("Q", code, row.number, f"{project}, {place}", "quotes.show_quote")
        for row, project, place, code in rows
    ]
    return _group("Quotes", hits, Place("quotes.quotes", {"project": words}))


def _orders(tx: Session, viewer: Viewer, words: str) -> HitGroup:
    """By number, purchase order, and the tracking number of a shipment."""
    shipped = sa.exists().where(
        Shipment.dealer_id == Order.dealer_id,
        Shipment.order_id == Order.id,
        *holds_words(words, Shipment.tracking_number),
    )
    rows = tx.execute(
        orders_seen_by(viewer)
        .select_from(Order)
        .join(Quote, sa.and_(Quote.dealer_id == Order.dealer_id, Quote.id == Order.quote_id))
        .join(Referral, sa.and_(Referral.dealer_id == Quote.dealer_id, Referral.id == Quote.referral_id))
        .join(Company, Company.id == Order.dealer_id)
        .add_columns(Referral.project_name, Company.code)
        .where(
            sa.or_(
                _has_number(words, "O", Order.number),
                sa.and_(*holds_words(words, Order.purchase_order)),
                shipped,
            )
        )
        .order_by(Order.id.desc())
        .limit(HITS + 1)
    )
    hits = [
        _numbered(
            "O", code, row.number, f"{project} · purchase order {row.purchase_order}", "quotes.show_order"
        )
        for row, project, code in rows
    ]
    return _group("Orders", hits, Place("quotes.orders", {"purchase": words}))


def _companies(tx: Session, words: str) -> HitGroup:
    """By name, code, and account number with or without hyphens."""
    ways = [sa.and_(*holds_words(words, Company.name, Company.code))]
    folded = fold_account_number(words)
    if any(character.isdigit() for character in folded):
        holds = AccountNumber.folded.contains(folded, autoescape=True)
        ways.append(sa.exists().where(AccountNumber.company_id == Company.id, holds))
    rows = tx.scalars(
        sa.select(Company).where(sa.or_(*ways)).order_by(Company.id.desc()).limit(HITS + 1)
    ).all()
    hits = [
        Hit(
            row.name,
            " · ".join(filter(None, (row.code, row.city))),
            Place("referral.show_company", {"code": row.code}),
        )
        for row in rows
    ]
    return _group("Companies", hits, Place("referral.companies", {"words": words}))


def _items(tx: Session, viewer: Viewer, at: datetime, words: str) -> HitGroup:
    """Of today's price list in the viewer's currency, by model number and description."""
    currency = None
    if viewer.acts_as(CompanyKind.DEALER):
        currency = tx.scalars(sa.select(Company.currency).where(Company.id == viewer.company_id)).one()
    try:
        price_list = price_list_on(tx, today(tx, at), currency)
        items = search_items(tx, at=at, words=words, currency=price_list.currency)
    except Refusal:  # no list is valid today: nothing to find
        return _group("Price list", ())
    hits = [
        Hit(
            item.model_number,
            f"{item.description} · {price_list.currency} {format_cents(item.list_price_cents)}",
            Place("quotes.show_price_list", {"version": price_list.version, "words": item.model_number}),
        )
        for item in items
    ]
    everything = Place("quotes.show_price_list", {"version": price_list.version, "words": words})
    return _group("Price list", hits, everything)


def _people(tx: Session, viewer: Viewer, words: str) -> HitGroup:
    """By name and e-mail, of the companies whose people the viewer manages."""
    managed = companies_managed_by(viewer).with_only_columns(Company.id).order_by(None)
    rows = tx.execute(
        sa.select(User, Company.name)
        .join(Company, Company.id == User.company_id)
        .where(User.company_id.in_(managed), *holds_words(words, User.name, User.email))
        .order_by(User.id.desc())
        .limit(HITS + 1)
    )
    hits = [
        Hit(
            user.name,
            f"{user.email} · {company}",
            Place("referral.people", {})
            if user.id == viewer.user_id
            else Place("referral.change_user_access", {"user_id": user.id}),
        )
        for user, company in rows
    ]
    return _group("People", hits)
