"""What the search of every page finds of this floor: sources and claims by number, sources by serial number."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.queries.search import HITS, Hit, HitGroup, Place
from referral.ids import PublicNumber, parse_public_number
from referral.models import Company, Referral
from referral.permissions import Permission, Viewer
from referral.text import fold_model_number
from warranty.models.claims import Claim
from warranty.models.sources import InstalledSource, SerialNumber
from warranty.queries.claims import claims_seen_by
from warranty.queries.sources import sources_seen_by

_PART = re.compile(r"(?:([UC])-)?(?:([A-Z0-9]{3,8})-)?([1-9][0-9]{0,8})")


def page_of_warranty_number(tx: Session, *, viewer: Viewer, words: str) -> Place | None:
    """Return the page of a whole number such as U-HARBOR-12 or C-HARBOR-3, or None.

    None also where the viewer may not see it: an unknown number and another company's are answered alike.
    """
    text = words.upper()
    number = parse_public_number(text, text[:1])
    if number is None or number.kind not in {"U", "C"} or not viewer.may(Permission.SOURCE_VIEW):
        return None
    is_source = number.kind == "U"
    table: Any = InstalledSource if is_source else Claim
    seen: sa.Select[Any] = sources_seen_by(viewer) if is_source else claims_seen_by(viewer)
    found = tx.execute(
        seen.join(Company, Company.id == table.dealer_id)
        .where(Company.code == number.dealer_code, table.number == number.number)
        .with_only_columns(table.number)
    ).first()
    endpoint = "warranty.show_source" if is_source else "warranty.show_claim"
    return Place(endpoint, {"ref": text}) if found else None


def search_warranty(tx: Session, *, viewer: Viewer, at: datetime, words: str) -> tuple[HitGroup, ...]:  # noqa: ARG001 - every floor is asked alike
    """Return the sources and claims that fit, of what the viewer may see; a kind without a hit is left out."""
    if not words.strip() or not viewer.may(Permission.SOURCE_VIEW):
        return ()
    groups = (_sources(tx, viewer, words), _claims(tx, viewer, words))
    return tuple(group for group in groups if group.hits)


def _has_number(words: str, kind: str, number: Any) -> sa.ColumnElement[bool]:
    """Whether a thing has this number: 12, HARBOR-12 or U-HARBOR-12."""
    match = _PART.fullmatch(words.strip().upper())
    if match is None or match[1] not in {None, kind}:
        return sa.false()
    same = number == int(match[3])
    return same if match[2] is None else sa.and_(same, Company.code == match[2])


def _sources(tx: Session, viewer: Viewer, words: str) -> HitGroup:
    """By number, and by the whole serial number as it is compared."""
    bears = (
        sa.select(SerialNumber.source_id)
        .where(SerialNumber.serial == fold_model_number(words))
        .scalar_subquery()
    )
    rows = tx.execute(
        sources_seen_by(viewer)
        .join(Company, Company.id == InstalledSource.dealer_id)
        .join(
            Referral,
            sa.and_(
                Referral.dealer_id == InstalledSource.dealer_id, Referral.id == InstalledSource.referral_id
            ),
        )
        .add_columns(Company.code, Referral.project_name)
        .where(sa.or_(_has_number(words, "U", InstalledSource.number), InstalledSource.id == bears))
        .order_by(InstalledSource.id.desc())
        .limit(HITS + 1)
    )
    hits = [
        Hit(
            ref := str(PublicNumber("U", code, row.number)),
            " · ".join(filter(None, (row.model_number, row.serial, project, row.room))),
            Place("warranty.show_source", {"ref": ref}),
        )
        for row, code, project in rows
    ]
    return HitGroup("Installed sources", tuple(hits[:HITS]), len(hits) > HITS, None)


def _claims(tx: Session, viewer: Viewer, words: str) -> HitGroup:
    """By number."""
    rows = tx.execute(
        claims_seen_by(viewer)
        .join(Company, Company.id == Claim.dealer_id)
        .add_columns(Company.code)
        .where(_has_number(words, "C", Claim.number))
        .order_by(Claim.id.desc())
        .limit(HITS + 1)
    )
    hits = [
        Hit(
            ref := str(PublicNumber("C", code, row.number)),
            row.problem,
            Place("warranty.show_claim", {"ref": ref}),
        )
        for row, code in rows
    ]
    return HitGroup("Warranty claims", tuple(hits[:HITS]), len(hits) > HITS, None)
