"""The blueprint of the quotes floor's API, its paths and what its answers are made of."""

from __future__ import annotations

from typing import Any

from referral.apikit import ApiBlueprint

blueprint = ApiBlueprint("quotes_api", __name__, "Price lists, quotes, orders")

QUOTE = '/quotes/<public_number("Q"):ref>'
REVISION = f"{QUOTE}/revisions/<int(min=1,max=999999):revision_number>"
ORDER = '/orders/<public_number("O"):ref>'

Said = dict[str, Any]
Answer = dict[str, Any]
Headers = dict[str, str]
