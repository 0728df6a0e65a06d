"""What the search of every page finds of this floor: agreements, visits and service calls, by number."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.queries.search import HITS, Hit, HitGroup, Place
from referral.ids import PublicNumber, parse_public_number
from referral.models import Company
from referral.permissions import Permission, Viewer
from referral.queries.records import holds_words
from support.models.agreements import Agreement
from support.models.calls import ServiceCall
from support.models.catalogue import CatalogueEntry
from support.models.visits import ServiceVisit
from support.queries.seen import agreements_seen_by, calls_seen_by, visits_seen_by

_PART = re.compile(r"(?:([AVS])-)?(?:([A-Z0-9]{3,8})-)?([1-9][0-9]{0,8})")


@dataclass(frozen=True)
class _Kind:
    """A kind of numbered things: its table and its page."""

    table: Any
    endpoint: str
    title: str


_KINDS: Mapping[str, _Kind] = MappingProxyType(
    {
        "A": _Kind(Agreement, "support.show_agreement", "Agreements"),
        "V": _Kind(ServiceVisit, "support.show_visit", "Visits"),
        "S": _Kind(ServiceCall, "support.show_call", "Service calls"),
    }
)


def page_of_support_number(tx: Session, *, viewer: Viewer, words: str) -> Place | None:
    """Return the page of a whole number such as A-HARBOR-1, V-HARBOR-2 or S-HARBOR-3, or None.

    None also where the viewer may not see it: an unknown number and another company's are answered alike.
    """
    text = words.upper()
    number = parse_public_number(text, text[:1])
    if number is None or number.kind not in _KINDS or not viewer.may(Permission.SUPPORT_VIEW):
        return None
    kind = _KINDS[number.kind]
    found = tx.execute(
        _seen(number.kind, viewer)
        .join(Company, Company.id == kind.table.dealer_id)
        .where(Company.code == number.dealer_code, kind.table.number == number.number)
        .with_only_columns(kind.table.number)
    ).first()
    return Place(kind.endpoint, {"ref": text}) if found else None


def search_support(tx: Session, *, viewer: Viewer, at: datetime, words: str) -> tuple[HitGroup, ...]:  # noqa: ARG001 - every floor is asked alike
    """Return the agreements, visits and calls that fit, of what the viewer may see; no kind without a hit."""
    if not words.strip() or not viewer.may(Permission.SUPPORT_VIEW):
        return ()
    groups = (_agreements(tx, viewer, words), _visits(tx, viewer, words), _calls(tx, viewer, words))
    return tuple(group for group in groups if group.hits)


def _seen(kind: str, viewer: Viewer) -> sa.Select[Any]:
    if kind == "A":
        return agreements_seen_by(viewer)
    return visits_seen_by(viewer) if kind == "V" else calls_seen_by(viewer)


def _has_number(words: str, kind: str) -> sa.ColumnElement[bool]:
    """Whether a thing has this number: 12, HARBOR-12 or A-HARBOR-12."""
    match = _PART.fullmatch(words.strip().upper())
    if match is None or match[1] not in {None, kind}:
        return sa.false()
    same: sa.ColumnElement[bool] = _KINDS[kind].table.number == int(match[3])
    return same if match[2] is None else sa.and_(same, Company.code == match[2])


def _group(kind: str, hits: list[Hit]) -> HitGroup:
    return HitGroup(_KINDS[kind].title, tuple(hits[:HITS]), len(hits) > HITS, None)


def _hit(kind: str, code: str, number: int, detail: str) -> Hit:
    ref = str(PublicNumber(kind, code, number))
    return Hit(ref, detail, Place(_KINDS[kind].endpoint, {"ref": ref}))


def _agreements(tx: Session, viewer: Viewer, words: str) -> HitGroup:
    """By number, and by words of the customer."""
    rows = tx.execute(
        agreements_seen_by(viewer)
        .join(Company, Company.id == Agreement.dealer_id)
        .join(CatalogueEntry, CatalogueEntry.id == Agreement.offer_id)
        .add_columns(Company.code, CatalogueEntry.name)
        .where(sa.or_(_has_number(words, "A"), sa.and_(*holds_words(words, Agreement.customer))))
        .order_by(Agreement.id.desc())
        .limit(HITS + 1)
    )
    return _group(
        "A", [_hit("A", code, row.number, f"{name} for {row.customer}") for row, code, name in rows]
    )


def _visits(tx: Session, viewer: Viewer, words: str) -> HitGroup:
    """By number."""
    rows = tx.execute(
        visits_seen_by(viewer)
        .join(Company, Company.id == ServiceVisit.dealer_id)
        .add_columns(Company.code)
        .where(_has_number(words, "V"))
        .order_by(ServiceVisit.id.desc())
        .limit(HITS + 1)
    )
    return _group("V", [_hit("V", code, row.number, ", ".join(row.purposes)) for row, code in rows])


def _calls(tx: Session, viewer: Viewer, words: str) -> HitGroup:
    """By number."""
    rows = tx.execute(
        calls_seen_by(viewer)
        .join(Company, Company.id == ServiceCall.dealer_id)
        .add_columns(Company.code)
        .where(_has_number(words, "S"))
        .order_by(ServiceCall.id.desc())
        .limit(HITS + 1)
    )
    return _group("S", [_hit("S", code, row.number, row.problem) for row, code in rows])
