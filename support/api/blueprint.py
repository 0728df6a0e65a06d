"""The blueprint of the support floor's API, its paths and what its answers are made of."""

from __future__ import annotations

from typing import Any

from referral.apikit import ApiBlueprint

blueprint = ApiBlueprint("support_api", __name__, "Offers, agreements, visits, service calls")

AGREEMENT = '/agreements/<public_number("A"):ref>'
VISIT = '/visits/<public_number("V"):ref>'
CALL = '/calls/<public_number("S"):ref>'

Said = dict[str, Any]
Answer = dict[str, Any]
Headers = dict[str, str]
