"""Pure rules of the talk about services: what an offer says differently from the one before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quotes.rules.content import ContentService
from quotes.rules.diff import Change


@dataclass(frozen=True)
class ServiceChange:
    """A service against the offer before; `before` or `after` is None where it is added or removed."""

    change: Change
    before: ContentService | None
    after: ContentService | None


def diff_services(
    before: Sequence[ContentService], after: Sequence[ContentService]
) -> tuple[ServiceChange, ...]:
    """Return each service of `after` in order with its change, then the removed ones in their old order.

    A service has no number: it is the one before with the same kind and description, else the first that is
    left of the same kind.
    """
    left = list(before)
    was: dict[int, ContentService] = {}
    for is_same in (_is_alike, _is_of_one_kind):
        for index, service in enumerate(after):
            found = None if index in was else next((each for each in left if is_same(each, service)), None)
            if found is not None:
                was[index] = found
                left.remove(found)
    changes = [_change(was.get(index), service) for index, service in enumerate(after)]
    return (*changes, *(ServiceChange(Change.REMOVED, service, None) for service in left))


def _is_alike(one: ContentService, other: ContentService) -> bool:
    return (one.kind, one.description) == (other.kind, other.description)


def _is_of_one_kind(one: ContentService, other: ContentService) -> bool:
    return one.kind is other.kind


def _change(before: ContentService | None, after: ContentService) -> ServiceChange:
    if before is None:
        return ServiceChange(Change.ADDED, None, after)
    return ServiceChange(Change.SAME if before == after else Change.CHANGED, before, after)
