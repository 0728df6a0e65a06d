"""Warranty terms with their history, the families without any, and what new terms would change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.price_lists import PriceItem, PriceList
from referral.errors import Refusal
from referral.models import DealerCounter, User
from referral.queries.settings import today
from referral.text import fold
from warranty.models.sources import InstalledSource
from warranty.models.terms import TermReading, WarrantyTerm
from warranty.rules.terms import TermInput, guard_term, next_first_day
from warranty.states import IN_PLACE, KETRA, Lacking

_ASKED = (
    "valid_from", "months", "start_rule", "cap_days", "covers_parts", "covers_labor", "report_days",
    "replacement_days", "source", "reason",
)  # fmt: skip


def ketra_families(tx: Session) -> dict[str, tuple[str, ...]]:
    """Return the spellings of each Ketra family that a price list ever had, the newest first, by folded name."""
    found: dict[str, list[str]] = defaultdict(list)
    rows = tx.execute(
        sa.select(PriceItem.family)
        .join(PriceList, PriceList.id == PriceItem.price_list_id)
        .where(PriceItem.category.in_(KETRA), PriceItem.family != "")
        .group_by(PriceItem.family)
        .order_by(sa.func.max(PriceList.version).desc(), PriceItem.family)
    )
    for (family,) in rows:
        found[fold(family)].append(family)
    return {key: tuple(found[key]) for key in sorted(found)}


def terms_of_family(tx: Session, family_key: str) -> list[WarrantyTerm]:
    """Return every term ever recorded of a family, the latest first day first, of one day the latest recorded."""
    return list(
        tx.scalars(
            sa.select(WarrantyTerm)
            .where(WarrantyTerm.family_key == family_key)
            .order_by(WarrantyTerm.valid_from.desc(), WarrantyTerm.set_at.desc(), WarrantyTerm.id.desc())
        )
    )


def newest_term_at(tx: Session) -> datetime | None:
    """Return when the newest of all terms was recorded; None without any."""
    return tx.scalar(sa.select(sa.func.max(WarrantyTerm.set_at)))


def standing_term(tx: Session, family_key: str, said: TermInput) -> WarrantyTerm | None:
    """Return the terms that hold for the first day asked for, where they say all of it already."""
    same_day = [term for term in terms_of_family(tx, family_key) if term.valid_from == said.valid_from]
    if same_day and all(getattr(same_day[0], name) == getattr(said, name) for name in _ASKED):
        return same_day[0]
    return None


def known_family(tx: Session, family: str) -> tuple[str, str]:
    """Return a Ketra family of the price lists as (its folded name, its newest spelling).

    Raises Refusal(invalid_input) for any other.
    """
    spellings = ketra_families(tx).get(fold(family))
    if spellings is None:
        raise Refusal(
            "invalid_input", "No price list has this family of light sources or accessories.", "family"
        )
    return fold(family), spellings[0]


# what new terms would change ----------------------------------------------------------------------


@dataclass(frozen=True)
class TermEffect:
    """What recording terms would change: the installed sources whose terms they would be."""

    family: str
    until: date | None
    """The first order day that later terms are for; None where these are the last ones."""
    sources: int
    units: int
    undetermined: int
    """Of the sources, those in place that lack terms now."""
    is_recorded: bool
    """Whether exactly these terms are recorded already: then nothing changes."""


def term_effect(tx: Session, *, said: TermInput) -> TermEffect:
    """Return what these terms would change. Raises Refusal(invalid_input) as recording them would."""
    guard_term(said)
    key, family = known_family(tx, said.family)
    until = next_first_day((term.valid_from for term in terms_of_family(tx, key)), said.valid_from)
    conditions = [
        InstalledSource.family.in_(ketra_families(tx)[key]),
        InstalledSource.ordered_on >= said.valid_from,
    ]
    if until is not None:
        conditions.append(InstalledSource.ordered_on < until)
    in_place = sa.and_(InstalledSource.lacking == Lacking.TERMS, InstalledSource.standing.in_(IN_PLACE))
    sources, units, undetermined = tx.execute(
        sa.select(
            sa.func.count(),
            sa.func.coalesce(sa.func.sum(InstalledSource.quantity), 0),
            sa.func.coalesce(sa.func.sum(sa.case((in_place, 1), else_=0)), 0),
        ).where(*conditions)
    ).one()
    is_recorded = standing_term(tx, key, said) is not None
    return TermEffect(family, until, int(sources), int(units), int(undetermined), is_recorded)


# the page -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TermRow:
    """Terms as they were recorded, with who recorded them and for which orders they hold."""

    term: WarrantyTerm
    set_by: str
    """'' for the command line."""
    until: date | None
    """The first order day of the terms after them; None where they are the last ones."""
    is_current: bool
    """Whether an order entered today has them."""
    is_replaced: bool
    """Whether others were recorded later for the same first day."""


@dataclass(frozen=True)
class FamilyTerms:
    """A family with every term ever recorded of it, the latest first day first."""

    family: str
    rows: tuple[TermRow, ...]
    is_listed: bool
    """Whether a price list has the family."""

    @property
    def current(self) -> TermRow | None:
        """The terms that an order entered today has."""
        return next((row for row in self.rows if row.is_current), None)


@dataclass(frozen=True)
class TermsPage:
    """The terms of every family, and how far the sources are read with them."""

    today: date
    families: tuple[FamilyTerms, ...]
    """Those with terms, by name."""
    missing: tuple[str, ...]
    """Ketra families of the price lists without any terms."""
    waiting: int
    """Installed sources that are not read with the newest terms yet."""


def terms_page(tx: Session, *, at: datetime) -> TermsPage:
    """Return the terms of all families. The number of statements does not grow with them."""
    day = today(tx, at)
    listed = ketra_families(tx)
    found: dict[str, list[tuple[WarrantyTerm, str]]] = defaultdict(list)
    for term, name in tx.execute(
        sa.select(WarrantyTerm, User.name)
        .outerjoin(User, User.id == WarrantyTerm.set_by)
        .order_by(WarrantyTerm.valid_from.desc(), WarrantyTerm.set_at.desc(), WarrantyTerm.id.desc())
    ):
        found[term.family_key].append((term, name or ""))
    return TermsPage(
        today=day,
        families=tuple(
            FamilyTerms(
                family=listed[key][0] if key in listed else found[key][0][0].family,
                rows=_rows(found[key], day),
                is_listed=key in listed,
            )
            for key in sorted(found)
        ),
        missing=tuple(listed[key][0] for key in listed if key not in found),
        waiting=_waiting(tx, listed, [term for rows in found.values() for term, _ in rows]),
    )


def _rows(found: Iterable[tuple[WarrantyTerm, str]], day: date) -> tuple[TermRow, ...]:
    """Return the terms of one family, newest first: the first that has begun is the one that holds."""
    rows: list[TermRow] = []
    for term, name in found:
        is_replaced = bool(rows) and rows[-1].term.valid_from == term.valid_from
        is_current = term.valid_from <= day and not any(row.is_current for row in rows)
        until = next_first_day((row.term.valid_from for row in rows), term.valid_from)
        rows.append(TermRow(term, name, until, is_current, is_replaced))
    return tuple(rows)


def _waiting(tx: Session, listed: Mapping[str, tuple[str, ...]], terms: Iterable[WarrantyTerm]) -> int:
    """Return how many sources were made before terms of their family that they are not read with yet."""
    dealers = [dealer.dealer_id for dealer in dealers_to_read(tx)]
    if not dealers:
        return 0
    newest: dict[str, datetime] = {}
    for term in terms:
        newest[term.family_key] = max(term.set_at, newest.get(term.family_key, term.set_at))
    unread = [
        sa.and_(
            InstalledSource.family.in_(listed.get(key, (key,))),
            InstalledSource.made_at <= at,
            sa.or_(TermReading.read_at.is_(None), TermReading.read_at < at),
            sa.or_(
                TermReading.reading.is_(None),
                TermReading.reading < at,
                TermReading.through_number < InstalledSource.number,
            ),
        )
        for key, at in newest.items()
    ]
    waiting = tx.scalar(
        sa.select(sa.func.count())
        .select_from(InstalledSource)
        .outerjoin(TermReading, TermReading.dealer_id == InstalledSource.dealer_id)
        .where(InstalledSource.dealer_id.in_(dealers), sa.or_(*unread))
    )
    return waiting or 0


# the worker ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DealerToRead:
    """A dealer with terms newer than those its sources are read with."""

    dealer_id: UUID
    left: int
    """How many of its sources are to be gone through."""


def dealers_to_read(tx: Session) -> tuple[DealerToRead, ...]:
    """Return the dealers whose sources are to be read with newer terms: a look at one row of each dealer."""
    newest = newest_term_at(tx)
    if newest is None:
        return ()
    rows = tx.execute(
        sa.select(
            DealerCounter.dealer_id,
            DealerCounter.last_number - sa.func.coalesce(TermReading.through_number, 0),
        )
        .outerjoin(TermReading, TermReading.dealer_id == DealerCounter.dealer_id)
        .where(
            DealerCounter.kind == "U",
            DealerCounter.last_number > 0,
            sa.or_(TermReading.read_at.is_(None), TermReading.read_at < newest),
        )
        .order_by(DealerCounter.dealer_id)
    )
    return tuple(DealerToRead(dealer_id, left) for dealer_id, left in rows)
