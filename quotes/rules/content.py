"""Pure rules of a revision: content digests, totals, expiry, attestations."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType
from uuid import UUID

from quotes.states import Category, RevisionState, ServiceKind

MAX_LINES = 2_000
"""Lines of one revision."""

ATTESTATION_VERSION = "approval-2026-1"
ATTESTATIONS: Mapping[str, str] = MappingProxyType(
    {
        "attested_suitable": (
            "Ketra is the appropriate solution for the space, considering all product specifications."
        ),
        "attested_reviewed": "I have reviewed the details of this quote.",
        "attested_complete": "All products are included.",
        "attested_account_number": "The Lutron account number stated here is ours.",
    }
)
"""The dealer's duties as four statements (referral program sheet, "The process")."""


@dataclass(frozen=True)
class ContentLine:
    """What a product line says."""

    line_id: UUID
    model_number: str
    description: str
    family: str
    category: Category
    unit: str
    room: str
    quantity: int
    list_price_cents: int

    @property
    def amount_cents(self) -> int:
        """Quantity at list price."""
        return self.quantity * self.list_price_cents


@dataclass(frozen=True)
class ContentService:
    """What a service or labor line says."""

    kind: ServiceKind
    description: str
    amount_cents: int


@dataclass(frozen=True)
class ContentHead:
    """What a revision says besides its lines."""

    dealer: str
    account: str
    referral: str
    quote: str
    revision: int
    account_number: str
    price_list: str
    currency: str
    note: str


@dataclass(frozen=True)
class Digests:
    """SHA-256 of the products, of the services, and of both together, in hexadecimal."""

    products: str
    services: str
    both: str


def content_digests(
    head: ContentHead,
    lines: Sequence[ContentLine],
    services: Sequence[ContentService],
    *,
    has_services: bool,
) -> Digests:
    """Return the digests of a revision's canonical content (program rules, section 5).

    Canonical: JSON of texts and integers, keys sorted, no white space, UTF-8, lines in their order. Any
    change of a line, a price, the account number or the head gives other digests; services do not touch
    the product digest.
    """
    products = _sha256(
        {
            "version": 1,
            "head": dict(vars(head)),
            "lines": [
                {
                    "line": line.line_id.hex,
                    "model_number": line.model_number,
                    "description": line.description,
                    "family": line.family,
                    "category": line.category.value,
                    "unit": line.unit,
                    "room": line.room,
                    "quantity": line.quantity,
                    "list_price_cents": line.list_price_cents,
                }
                for line in lines
            ],
        }
    )
    services_digest = _sha256(
        {
            "version": 1,
            "quote": head.quote,
            "revision": head.revision,
            "has_services": has_services,
            "services": [
                {
                    "kind": service.kind.value,
                    "description": service.description,
                    "amount_cents": service.amount_cents,
                }
                for service in services
            ],
        }
    )
    return Digests(
        products=products,
        services=services_digest,
        both=_sha256({"products": products, "services": services_digest}),
    )


def canonical_json(content: object) -> str:
    """Return the one way this content is written before it is digested."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _sha256(content: object) -> str:
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def request_digest(content: object) -> str:
    """Return the digest by which a repeated request is told from a different one."""
    return _sha256(content)


# totals, expiry ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Totals:
    """The sums of a revision in cents; products = creditable + not creditable."""

    products_cents: int
    creditable_cents: int
    not_creditable_cents: int
    services_cents: int

    @property
    def all_cents(self) -> int:
        """Products and services."""
        return self.products_cents + self.services_cents


def totals(
    lines: Iterable[ContentLine], services: Iterable[ContentService], creditable: frozenset[str]
) -> Totals:
    """Return the sums; `creditable` names the categories that earn credit in the program year."""
    products = credit = 0
    for line in lines:
        products += line.amount_cents
        credit += line.amount_cents if line.category.value in creditable else 0
    return Totals(
        products_cents=products,
        creditable_cents=credit,
        not_creditable_cents=products - credit,
        services_cents=sum(service.amount_cents for service in services),
    )


def last_valid_day(submitted_on: date, valid_days: int) -> date:
    """Return the last day of a revision submitted on a day: the submission's day is day 0."""
    return submitted_on + timedelta(days=valid_days)


def is_expired(expires_on: date | None, day: date) -> bool:
    """Say whether the day is after the last valid one. A draft has none and does not expire."""
    return expires_on is not None and day > expires_on


def against_building(state: RevisionState, *, is_closed: bool) -> str:
    """Return the code of what stands against changing the newest revision: '' where it is a draft to build on.

    `is_closed` says that the project is not the account's any more.
    """
    if is_closed:
        return "referral_closed"
    return "" if state is RevisionState.DRAFT else "revision_immutable"


def shown_state(state: RevisionState, expires_on: date | None, day: date) -> str:
    """Return the state in one word as people see it: a waiting or approved revision can be expired."""
    if state in {RevisionState.SUBMITTED, RevisionState.APPROVED} and is_expired(expires_on, day):
        return "expired"
    return state.value
