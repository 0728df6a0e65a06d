"""Help, health."""

from __future__ import annotations

from referral.permissions import Permission
from referral.views.blueprint import blueprint
from referral.webkit import needs


@blueprint.get("/help")
@needs(Permission.PUBLIC)
def help_page() -> str:
    return "help"
