"""The JSON API of recalled prices."""

from __future__ import annotations

from datetime import datetime

from quotes.api.blueprint import Said, blueprint
from quotes.operations.recalls import recall_prices as recall_prices_operation
from quotes.operations.recalls import tell_of_recalls
from quotes.queries.recalls import RecallsOfList, dealers_to_tell, recalls_of_list
from quotes.schemas import recalls as recall_schemas
from referral.clock import now
from referral.db import write
from referral.permissions import Permission, Viewer
from referral.webkit import ask, current_viewer, needs

RECALLS = "/price-lists/<int(min=1,max=999999):version>/recalls"
DEALERS_AT_ONCE = 100
"""Dealers told by one request; the worker, or the same request again, goes on from there."""


@blueprint.get(RECALLS)
@needs(Permission.PRICE_LIST_PUBLISH)
@blueprint.response(200, recall_schemas.RecallsSchema)
@blueprint.refuses()
def list_recalls(version: int) -> RecallsOfList:
    """List the recalled prices of a version, and how many of the dealers they touch are told."""
    return ask(recalls_of_list, at=now(), version=version)


@blueprint.post(RECALLS)
@needs(Permission.PRICE_LIST_PUBLISH)
@blueprint.arguments(recall_schemas.RecallPricesSchema)
@blueprint.response(201, recall_schemas.RecallsSchema)
@blueprint.refuses("model_number_unknown", "reason_required")
def recall_prices(said: Said, version: int) -> RecallsOfList:
    """Recall prices that were published wrongly, and tell both sides of the quotes that hold one."""
    viewer, at = current_viewer(), now()
    write(recall_prices_operation, actor=viewer, at=at, version=version, **said)
    _tell(viewer, at)
    return ask(recalls_of_list, at=at, version=version)


def _tell(viewer: Viewer, at: datetime) -> None:
    """Tell the next dealers, each in a transaction of its own."""
    for dealer_id in ask(dealers_to_tell, at=at, limit=DEALERS_AT_ONCE):
        write(tell_of_recalls, actor=viewer, at=at, dealer_id=dealer_id)
