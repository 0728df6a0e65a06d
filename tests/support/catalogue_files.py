"""Catalogue files for tests: the shipped one, changed."""

from __future__ import annotations

import copy
import json
from typing import Any

from support.rules.catalogue import Catalogue
from support.schemas.catalogue import SHIPPED, read_catalogue

BRONZE: dict[str, Any] = {
    "key": "bronze",
    "name": "Bronze",
    "words": "A small plan.",
    "source": "Invented for this test",
    "calendar": "site-hours",
    "grants": [
        {
            "key": "response",
            "kind": "response",
            "name": "First available",
            "words": "Two a year.",
            "chart": "Bronze plan",
            "quota": {"unit": "visit", "amount": 2},
            "policy": "first-available",
        },
        {
            "key": "tea",
            "kind": "benefit",
            "name": "Tea",
            "words": "On each visit.",
            "chart": "Bronze plan",
            "choice": "tick",
        },
    ],
}
"""An offer that no code knows."""


def shipped() -> dict[str, Any]:
    """What the shipped file says, to be changed."""
    said: dict[str, Any] = json.loads(SHIPPED.read_text(encoding="utf-8"))
    return said


def only(**sections: Any) -> dict[str, Any]:
    """A file with these lists alone."""
    return {"version": 1, **copy.deepcopy(sections)}


def entry(said: dict[str, Any], section: str, key: str) -> dict[str, Any]:
    """The entry of a file."""
    found: dict[str, Any]
    (found,) = [each for each in said[section] if each["key"] == key]
    return found


def as_bytes(said: object) -> bytes:
    """The file as it is sent."""
    return json.dumps(said).encode()


def as_catalogue(said: object) -> Catalogue:
    """The file as it is loaded."""
    return read_catalogue(as_bytes(said))
