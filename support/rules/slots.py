"""The visits an agreement has, dated or not: slots of its contract years, and work that comes due by itself.

Pure: no clock, no database. A slot appears without a date at the start of its contract year; it is dated within that
year, and lost after it (program rules, section 10). A slot has no row until it is dated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from referral.text import say_day
from support.rules.calendar import plus_months
from support.rules.offers import Checklist, Choices, Grant, Offer, Schedule
from support.rules.quotas import ContractYear, TopUp, Use, contract_years, counted_grants
from support.states import GrantKind, VisitState

START = "start"
"""What a schedule follows that begins with the agreement."""
MOST_SLOTS = 366
"""Slots of one grant in one contract year; of an unlimited grant too."""
_TAKING = frozenset({VisitState.DATED, VisitState.DONE, VisitState.CONVERTED})
"""Visits that have a slot to themselves."""

SlotKey = tuple[str, int, int]
"""Grant or schedule, contract year, number: which slot it is."""


@dataclass(frozen=True, slots=True)
class Term:
    """What an agreement says that decides which visits there are."""

    offer: Offer
    choices: Choices
    starts_on: date
    months: int
    last_on: date
    """The last day of the term, or the day it was ended."""

    @property
    def years(self) -> tuple[ContractYear, ...]:
        """The contract years."""
        return contract_years(self.starts_on, self.months, self.last_on)


@dataclass(frozen=True, slots=True)
class KnownVisit:
    """A visit, as slots see it."""

    key: SlotKey
    state: VisitState
    day: date
    """Its day at the site."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A visit that an agreement has, whether it is dated or not."""

    grant_key: str
    """The visit grant, or the schedule."""
    contract_year: int
    """Of a follow-up the one of the visit it follows."""
    number: int
    """1 is the first of the contract year; of a follow-up the number of the visit it follows."""
    name: str
    first_on: date
    last_on: date
    """It is dated from the first through the last of these days."""
    due_on: date
    """By when it should have taken place."""
    why: str
    """What makes it due, in words."""
    purposes: tuple[str, ...]
    is_remote: bool = False
    is_scheduled: bool = False

    @property
    def key(self) -> SlotKey:
        """Which slot it is."""
        return (self.grant_key, self.contract_year, self.number)


def visit_grants(term: Term) -> tuple[Grant, ...]:
    """Return the grants of planned visits, those that a paid day can be bought of too; their quota says how many."""
    return tuple(grant for grant in counted_grants(term.offer, term.choices) if grant.kind is GrantKind.VISIT)


def slots_of(
    term: Term, top_ups: Iterable[TopUp] = (), visits: Iterable[KnownVisit] = ()
) -> tuple[Slot, ...]:
    """Return all slots of an agreement: of the quotas by contract year, then the scheduled follow-ups.

    Of an unlimited grant a year has the slots that are taken, and the next one.
    """
    bought, known = tuple(top_ups), tuple(visits)
    slots = [
        slot
        for year in term.years
        for grant in visit_grants(term)
        for slot in _slots_of_grant(grant, year, bought, known)
    ]
    return (*slots, *_follow_ups(term, known))


def undated(
    slots: Sequence[Slot], visits: Iterable[KnownVisit] = (), used: Iterable[Use] = ()
) -> tuple[Slot, ...]:
    """Return the slots that have no visit.

    `used` are uses that stand and were recorded without a visit: each takes a slot away, the last one first.
    """
    taken = {visit.key for visit in visits if visit.state in _TAKING}
    gone: dict[tuple[str, int], int] = {}
    for each in used:
        place = (each.grant_key, each.contract_year)
        gone[place] = gone.get(place, 0) + each.covered
    kept = []
    for slot in reversed(slots):
        place = (slot.grant_key, slot.contract_year)
        if slot.key in taken:
            continue
        if not slot.is_scheduled and gone.get(place, 0) > 0:
            gone[place] -= 1
            continue
        kept.append(slot)
    return tuple(reversed(kept))


def is_taken(key: SlotKey, visits: Iterable[KnownVisit]) -> bool:
    """Say whether a visit has this slot."""
    return any(visit.key == key and visit.state in _TAKING for visit in visits)


def due_day(schedule: Schedule, anchor: date) -> date:
    """Return the day on which a schedule is due, so many months and days after its anchor.

    Where the month has no such day, it is the month's last (program rules, section 11).
    """
    return (plus_months(anchor, schedule.months) if schedule.months else anchor) + timedelta(
        days=schedule.days
    )


def say_after(schedule: Schedule, anchor: date) -> str:
    """Return why a schedule is due, in words: 30 days after the start, 6 months after the visit of 31 Aug 2026."""
    parts = [
        f"{count} {word}{'' if count == 1 else 's'}"
        for count, word in ((schedule.months, "month"), (schedule.days, "day"))
        if count
    ]
    what = "the start" if schedule.after == START else f"the visit of {say_day(anchor)}"
    return f"{' and '.join(parts) or 'right'} after {what}"


def is_to_plan(slot: Slot, today: date, ahead: int) -> bool:
    """Say whether a slot without a date is to be planned now: its year runs, or it is due in so many days."""
    if slot.is_scheduled:
        return slot.first_on <= today <= slot.last_on and slot.due_on <= today + timedelta(days=ahead)
    return slot.first_on <= today <= slot.last_on


def points_of(checklists: Iterable[Checklist], purposes: Iterable[str]) -> tuple[str, ...]:
    """Return what is checked on a visit for these purposes, each point with its purpose before it."""
    wanted = set(purposes)
    return tuple(
        f"{checklist.purpose}: {point}"
        for checklist in checklists
        if checklist.purpose in wanted
        for point in checklist.points
    )


def _slots_of_grant(
    grant: Grant, year: ContractYear, top_ups: Sequence[TopUp], visits: Sequence[KnownVisit]
) -> Iterator[Slot]:
    here = (grant.key, year.number)
    quota = None if grant.quota is None else grant.quota.amount
    if quota is None:
        numbers = {visit.key[2] for visit in visits if visit.key[:2] == here and visit.state in _TAKING}
        count = next(number for number in range(1, MOST_SLOTS + 1) if number not in numbers)
        count = max(count, *numbers, 1)
    else:
        count = quota + sum(each.amount for each in top_ups if (each.grant_key, each.contract_year) == here)
    for number in range(1, min(count, MOST_SLOTS) + 1):
        yield Slot(
            grant_key=grant.key,
            contract_year=year.number,
            number=number,
            name=grant.name,
            first_on=year.first_on,
            last_on=year.last_on,
            due_on=year.last_on,
            why=f"visit {number} of {count} in contract year {year.number}"
            if quota is not None
            else f"visit {number} in contract year {year.number}",
            purposes=grant.purposes,
        )


def _follow_ups(term: Term, visits: Sequence[KnownVisit]) -> Iterator[Slot]:
    """Yield what the offer's schedules bring within the term: after the start, and after each visit that is done."""
    years = term.years
    if not years:
        return
    for schedule in term.offer.schedules:
        if schedule.after == START:
            anchors = [(1, 1, term.starts_on)]
        else:
            anchors = sorted(
                (visit.key[1], visit.key[2], visit.day)
                for visit in visits
                if visit.key[0] == schedule.after and visit.state is VisitState.DONE
            )
        for contract_year, number, anchor in anchors:
            due_on = due_day(schedule, anchor)
            if due_on > years[-1].last_on:
                continue
            yield Slot(
                grant_key=schedule.key,
                contract_year=contract_year,
                number=number,
                name=schedule.name,
                first_on=anchor,
                last_on=years[-1].last_on,
                due_on=due_on,
                why=say_after(schedule, anchor),
                purposes=(schedule.name,),
                is_remote=schedule.is_remote,
                is_scheduled=True,
            )
