"""The JSON API of the ledger: credits and balances, read only."""

from __future__ import annotations

from typing import Any

from ledger import schemas
from ledger.queries import listings
from referral.apikit import ApiBlueprint
from referral.clock import now
from referral.permissions import Permission
from referral.webkit import ask, current_viewer, needs

blueprint = ApiBlueprint("ledger_api", __name__, "Credits, balances")

Said = dict[str, Any]


@blueprint.get("/credits")
@needs(Permission.CREDIT_VIEW)
@blueprint.arguments(schemas.ListCreditsSchema, location="query")
@blueprint.response(200, schemas.CreditsSchema)
@blueprint.refuses()
def list_credits(said: Said) -> listings.CreditRows:
    """List every posting of the dealers' own accounts: by dealer, program year, account, sequence."""
    return ask(listings.credits_page, viewer=current_viewer(), **said)


@blueprint.get("/balances")
@needs(Permission.CREDIT_VIEW)
@blueprint.arguments(schemas.ListBalancesSchema, location="query")
@blueprint.response(200, schemas.BalancesSchema)
@blueprint.refuses()
def list_balances(said: Said) -> listings.BalanceRows:
    """List the dealers' balances and levels of a program year, by dealer."""
    return ask(listings.balances_page, viewer=current_viewer(), at=now(), **said)
