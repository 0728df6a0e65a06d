"""The service catalogue as one reviewed file says it: what of it cannot hold, and what of it becomes new."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias, TypeGuard

from ledger.rules.digests import digest_of
from quotes.rules.content import canonical_json
from referral.errors import Problem, Refusal
from support.states import EntryKind, GrantKind

CATALOGUE_LOADED = "catalogue.loaded"
CODE = "catalogue_invalid"
START = "start"
"""What a schedule is after that is not after a visit."""

Content: TypeAlias = Mapping[str, Any]
Place: TypeAlias = tuple[EntryKind, str]
"""An entry whatever its version: its kind and key."""
Stored: TypeAlias = Mapping[Place, tuple[int, Content]]
"""The newest version of each entry, with what it holds."""

SECTIONS: Mapping[EntryKind, str] = MappingProxyType(
    {
        EntryKind.FAMILY: "families",
        EntryKind.CALENDAR: "calendars",
        EntryKind.POLICY: "policies",
        EntryKind.OFFER: "offers",
    }
)
"""The lists of the file, in the order they are read."""


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry of a file whose shape was checked: `content` is complete."""

    kind: EntryKind
    key: str
    name: str
    content: Content
    place: str
    """Where it stands in the file, such as offers[3]."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What a file says, in its order. It may hold a part of the catalogue: the rest stays as it is."""

    entries: tuple[NewEntry, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that is another one: None is not there."""

    place: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """An entry that becomes new, or its next version."""

    kind: EntryKind
    key: str
    name: str
    version: int
    content: Content
    before: Content | None
    """The version before; None where it is the first."""
    because: str = ""
    """The included offer that changed, where nothing else did."""

    @property
    def differences(self) -> tuple[Difference, ...]:
        """What is another one than in the version before."""
        return () if self.before is None else differences_of(self.before, self.content)


def entry_digest(kind: EntryKind, key: str, version: int, content: str) -> str:
    """Return the digest of a version of an entry; `content` is its canonical JSON."""
    return digest_of("catalogue_entry", kind.value, key, version, content)


def told_of(kind: EntryKind, key: str, version: int) -> str:
    """Return how the audit trail names a version, such as `offer silver 2`."""
    return f"{kind.value} {key} {version}"


# what becomes new -----------------------------------------------------------------------------------


def changes_of(catalogue: Catalogue, stored: Stored) -> tuple[Change, ...]:
    """Return what a file makes new, in its order: entries that say something else than their newest version.

    An offer that includes one of them becomes new with it, also where the file does not hold it: it grants
    something else now, and what was sold before keeps the version before.
    """
    changes: dict[Place, Change] = {}
    for entry in catalogue.entries:
        version, before = stored.get((entry.kind, entry.key), (0, None))
        if before is None or canonical_json(before) != canonical_json(entry.content):
            changes[entry.kind, entry.key] = Change(
                entry.kind, entry.key, entry.name, version + 1, entry.content, before
            )
    offers = {key: content for (kind, key), (_, content) in stored.items() if kind is EntryKind.OFFER}
    offers |= {entry.key: entry.content for entry in catalogue.entries if entry.kind is EntryKind.OFFER}
    is_growing = True
    while is_growing:
        is_growing = False
        for key, content in sorted(offers.items()):
            new = next((each for each in content["includes"] if (EntryKind.OFFER, each) in changes), None)
            if new is not None and (EntryKind.OFFER, key) not in changes:
                version, before = stored[EntryKind.OFFER, key]
                changes[EntryKind.OFFER, key] = Change(
                    EntryKind.OFFER, key, content["name"], version + 1, content, before, new
                )
                is_growing = True
    return tuple(changes.values())


def differences_of(before: Content, after: Content) -> tuple[Difference, ...]:
    """Return each value that is another one, by its place; parts with keys are compared by their keys.

    The closed days of a calendar are not named one by one: its rules and dates say why they are others.
    """
    shown = [{name: value for name, value in each.items() if name != "closed"} for each in (before, after)]
    found = tuple(_differences("", *shown))
    if not found and before.get("closed") != after.get("closed"):
        return (Difference("closed", f"{len(before['closed'])} days", f"{len(after['closed'])} days"),)
    return found


def _differences(place: str, before: Any, after: Any) -> Iterator[Difference]:
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in [*before, *(name for name in after if name not in before)]:
            yield from _differences(
                f"{place}.{name}" if place else name, before.get(name, _NOTHING), after.get(name, _NOTHING)
            )
    elif _is_keyed(before) and _is_keyed(after):
        old, new = ({each["key"]: each for each in values} for values in (before, after))
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _differences(f"{place}.{key}", old.get(key, _NOTHING), new.get(key, _NOTHING))
        if list(old) != list(new) and set(old) == set(new):
            yield Difference(place, ", ".join(old), ", ".join(new))
    elif _are_objects(before) and _are_objects(after) and len(before) == len(after):
        for at, pair in enumerate(zip(before, after, strict=True)):
            yield from _differences(f"{place}[{at}]", *pair)
    else:
        yield Difference(place, _said(before), _said(after))


_NOTHING = object()


def _is_keyed(values: object) -> bool:
    return _are_objects(values) and all("key" in each for each in values)


def _are_objects(values: object) -> TypeGuard[Sequence[Mapping[str, Any]]]:
    return isinstance(values, Sequence) and all(isinstance(each, Mapping) for each in values)


def _said(value: object) -> str | None:
    if value is _NOTHING:
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return str(value.get("name") or canonical_json(value))
    if isinstance(value, Sequence) and all(isinstance(each, str) for each in value):
        return "; ".join(value)
    return canonical_json(value)


# what cannot hold -----------------------------------------------------------------------------------


def guard_catalogue(catalogue: Catalogue, stored: Stored) -> None:
    """Guard: a file can be loaded over what is stored. Raises Refusal(catalogue_invalid) with everything that cannot hold."""
    problems = problems_of(catalogue, stored)
    if problems:
        raise Refusal(CODE, problems[0].message, "file", {"problems": len(problems)}, problems)


def problems_of(catalogue: Catalogue, stored: Stored) -> tuple[Problem, ...]:
    """Return everything that keeps a file from being loaded over what is stored, each with its place."""
    known = {kind: {key for at, key in stored if at is kind} for kind in EntryKind}
    for entry in catalogue.entries:
        known[entry.kind].add(entry.key)
    offers = {key: content for (kind, key), (_, content) in stored.items() if kind is EntryKind.OFFER}
    offers |= {entry.key: entry.content for entry in catalogue.entries if entry.kind is EntryKind.OFFER}
    problems = list(_twice(((entry.kind, entry.key), f"{entry.place}.key") for entry in catalogue.entries))
    for entry in catalogue.entries:
        if entry.kind is EntryKind.OFFER:
            problems += _offer_problems(entry, known, offers)
    return tuple(problems)


def _twice(found: Iterable[tuple[object, str]]) -> Iterator[Problem]:
    there: set[object] = set()
    for name, place in found:
        if name in there:
            yield _problem(place, "This key is there already.")
        there.add(name)


def _offer_problems(
    entry: NewEntry, known: Mapping[EntryKind, set[str]], offers: Mapping[str, Content]
) -> Iterator[Problem]:
    offer, place = entry.content, entry.place
    for part in ("grants", "requirements", "schedules"):
        yield from _twice((each["key"], f"{place}.{part}[{at}].key") for at, each in enumerate(offer[part]))
    if offer["calendar"]:
        yield from _unknown(offer["calendar"], EntryKind.CALENDAR, known, f"{place}.calendar")
    for at, key in enumerate(offer["policies"]):
        yield from _unknown(key, EntryKind.POLICY, known, f"{place}.policies[{at}]")
    for at, key in enumerate(offer["includes"]):
        yield from _unknown(key, EntryKind.OFFER, known, f"{place}.includes[{at}]")
        if key == entry.key or entry.key in _included(key, offers):
            yield _problem(f"{place}.includes[{at}]", "An offer does not include itself.")
    for at, grant in enumerate(offer["grants"]):
        inside = f"{place}.grants[{at}]"
        for number, family in enumerate(grant["families"]):
            yield from _unknown(family, EntryKind.FAMILY, known, f"{inside}.families[{number}]")
        if grant["policy"] is not None:
            yield from _unknown(grant["policy"], EntryKind.POLICY, known, f"{inside}.policy")
        if grant["windows"] is not None:
            yield from _unknown(grant["windows"], EntryKind.CALENDAR, known, f"{inside}.windows")
    visits = {
        grant["key"]: grant["purposes"]
        for key in {entry.key, *_included(entry.key, offers)}
        for grant in offers.get(key, {"grants": ()})["grants"]
        if grant["kind"] == GrantKind.VISIT.value
    }
    for at, schedule in enumerate(offer["schedules"]):
        if schedule["after"] not in {START, *visits}:
            words = f"Name {START}, or the key of a visit that the offer grants."
            yield _problem(f"{place}.schedules[{at}].after", words)
        if schedule["key"] in visits:
            yield _problem(f"{place}.schedules[{at}].key", "A visit that the offer grants has this key.")
    purposes = {purpose for said in visits.values() for purpose in said}
    for at, checklist in enumerate(offer["checklists"]):
        if checklist["purpose"] not in purposes:
            words = "No visit that the offer grants is for this."
            yield _problem(f"{place}.checklists[{at}].purpose", words)


def _included(key: str, offers: Mapping[str, Content]) -> set[str]:
    """Return every offer that an offer includes, also by way of others."""
    found: set[str] = set()
    waiting = [key]
    while waiting:
        for other in offers.get(waiting.pop(), {"includes": ()})["includes"]:
            if other not in found:
                found.add(other)
                waiting.append(other)
    return found


def _unknown(key: str, kind: EntryKind, known: Mapping[EntryKind, set[str]], place: str) -> Iterator[Problem]:
    if key not in known[kind]:
        yield _problem(place, f"There is no {kind.value} “{key}”, in the file or loaded before.")


def _problem(place: str, words: str) -> Problem:
    return Problem(CODE, f"{place}: {words}", place)
