"""States and moves of revisions and orders; item categories; kinds of service."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType


class Category(enum.StrEnum):
    """What an item is to the program."""

    LIGHT_SOURCE = "light_source"
    ACCESSORY = "accessory"
    CONTROL = "control"
    SERVICE = "service"
    OTHER = "other"


class ServiceKind(enum.StrEnum):
    """The services of the program sheet, and labor that is none of them."""

    DESIGN = "design"
    PRE_WIRE = "pre_wire"
    INSTALL = "install"
    COMMISSIONING = "commissioning"
    PROGRAMMING = "programming"
    OTHER = "other"


class Side(enum.StrEnum):
    """The two sides of a quote."""

    ACCOUNT = "account"
    DEALER = "dealer"


class MilestoneKind(enum.StrEnum):
    """The phases of a project, in their order (referral program sheet, "The process")."""

    SPECIFY = "specify"
    PRE_WIRE = "pre_wire"
    INSTALL = "install"
    COMMISSIONING = "commissioning"
    PROGRAMMING = "programming"


class ServicesState(enum.StrEnum):
    """Whether service and labor prices of a revision stand."""

    OPEN = "open"
    NONE = "none"
    PROPOSED = "proposed"
    AGREED = "agreed"


SETTLED_SERVICES = frozenset({ServicesState.NONE, ServicesState.AGREED})
"""Until services are one of these there is no order (program rules, section 4)."""


class RevisionState(enum.StrEnum):
    """Where a revision stands. Expiry is computed from its last day, not a state."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    CHANGES_REQUESTED = "changes_requested"
    DECLINED = "declined"
    APPROVED = "approved"
    SUPERSEDED = "superseded"


REVISION_MOVES: Mapping[str, tuple[frozenset[RevisionState], RevisionState]] = MappingProxyType(
    {
        "submit": (frozenset({RevisionState.DRAFT}), RevisionState.SUBMITTED),
        "approve": (frozenset({RevisionState.SUBMITTED}), RevisionState.APPROVED),
        "request_changes": (frozenset({RevisionState.SUBMITTED}), RevisionState.CHANGES_REQUESTED),
        "decline": (frozenset({RevisionState.SUBMITTED}), RevisionState.DECLINED),
        "supersede": (
            frozenset({RevisionState.SUBMITTED, RevisionState.CHANGES_REQUESTED, RevisionState.APPROVED}),
            RevisionState.SUPERSEDED,
        ),
    }
)
"""verb: (states it starts from, state it ends in)."""


class OrderState(enum.StrEnum):
    """Where an order stands, by what became of its units."""

    ENTERED = "entered"
    PART_CANCELLED = "part_cancelled"
    CANCELLED = "cancelled"
    PART_SHIPPED = "part_shipped"
    """Something shipped, and something is still to ship."""
    SHIPPED = "shipped"
    """All that was not cancelled shipped, and nothing of it came back."""
    PART_RETURNED = "part_returned"
    RETURNED = "returned"


_TO_SHIP = frozenset({OrderState.ENTERED, OrderState.PART_CANCELLED, OrderState.PART_SHIPPED})
_NOT_SHIPPED = _TO_SHIP - {OrderState.PART_SHIPPED}
_SHIPPED = frozenset({OrderState.PART_SHIPPED, OrderState.SHIPPED, OrderState.PART_RETURNED})
ORDER_MOVES: Mapping[str, tuple[frozenset[OrderState], OrderState]] = MappingProxyType(
    {
        "cancel_part": (_NOT_SHIPPED, OrderState.PART_CANCELLED),
        "cancel_rest": (_NOT_SHIPPED, OrderState.CANCELLED),
        "ship_part": (_TO_SHIP, OrderState.PART_SHIPPED),
        "ship_rest": (_TO_SHIP, OrderState.SHIPPED),
        "return_part": (_SHIPPED, OrderState.PART_RETURNED),
        "return_rest": (_SHIPPED, OrderState.RETURNED),
    }
)
"""verb: (states it starts from, state it ends in)."""


def order_verb(*, open_units: int, shipped_units: int, returned_units: int) -> str:
    """Return the verb that leaves an order with these units: open are neither cancelled nor shipped.

    While something is still to ship, an order of which something shipped is partly shipped, whatever else
    of it is cancelled or comes back.
    """
    if not shipped_units:
        return "cancel_part" if open_units else "cancel_rest"
    if open_units:
        return "ship_part"
    if not returned_units:
        return "ship_rest"
    return "return_part" if returned_units < shipped_units else "return_rest"


class ReturnReason(enum.StrEnum):
    """Why shipped units come back (program rules, section 6)."""

    DAMAGED = "damaged"
    WRONG_ITEM = "wrong_item"
    NOT_NEEDED = "not_needed"
    DEFECTIVE = "defective"
    OTHER = "other"


RETURN_WORDS: Mapping[ReturnReason, str] = MappingProxyType(
    {
        ReturnReason.DAMAGED: "Damaged on arrival",
        ReturnReason.WRONG_ITEM: "Wrong item",
        ReturnReason.NOT_NEEDED: "Not needed",
        ReturnReason.DEFECTIVE: "Defective",
        ReturnReason.OTHER: "Another reason",
    }
)
"""A return for another reason says which one in words."""


def return_words(reason: ReturnReason, words: str) -> str:
    """Return why units came back, in words for people."""
    return f"{RETURN_WORDS[reason]}: {words}" if words else RETURN_WORDS[reason]
