"""The start page of each kind of user."""

from __future__ import annotations

from referral.permissions import Permission
from quotes.views.blueprint import blueprint
from referral.webkit import needs


@blueprint.get("/")
@needs(Permission.SIGNED_IN)
def home() -> str:
    return "home"
