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
    """Where an order stands."""

    ENTERED = "entered"
    PART_CANCELLED = "part_cancelled"
    CANCELLED = "cancelled"


_LIVE_ORDER = frozenset({OrderState.ENTERED, OrderState.PART_CANCELLED})
ORDER_MOVES: Mapping[str, tuple[frozenset[OrderState], OrderState]] = MappingProxyType(
    {
        "cancel_part": (_LIVE_ORDER, OrderState.PART_CANCELLED),
        "cancel_rest": (_LIVE_ORDER, OrderState.CANCELLED),
    }
)
"""verb: (states it starts from, state it ends in)."""
