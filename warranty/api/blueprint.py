"""The blueprint of the warranty floor's API, its paths and what its answers are made of."""

from __future__ import annotations

from typing import Any

from referral.apikit import ApiBlueprint

blueprint = ApiBlueprint("warranty_api", __name__, "Installed sources, coverage, claims")

SOURCE = '/sources/<public_number("U"):ref>'
CLAIM = '/claims/<public_number("C"):ref>'

Said = dict[str, Any]
Answer = dict[str, Any]
Headers = dict[str, str]
