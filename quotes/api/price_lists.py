"""The JSON API of price lists."""

from __future__ import annotations

import hashlib

from flask import request, url_for

from quotes.api.blueprint import Answer, Headers, Said, blueprint
from quotes.models.price_lists import PriceList
from quotes.operations.price_lists import publish_price_list as publish_price_list_operation
from quotes.queries.price_lists import ItemsPage, items_page, price_lists_page
from quotes.schemas import price_lists as price_list_schemas
from referral.clock import now
from referral.db import write
from referral.permissions import Permission
from referral.webkit import ask, current_viewer, needs


@blueprint.get("/price-lists")
@needs(Permission.PRICE_LIST_VIEW)
@blueprint.response(200, price_list_schemas.PriceListsSchema)
@blueprint.refuses()
def list_price_lists() -> Answer:
    """List every version of the list prices, newest first."""
    return {"items": ask(price_lists_page, at=now()), "next": None}


@blueprint.get("/price-lists/<int(min=1,max=999999):version>/items")
@needs(Permission.PRICE_LIST_VIEW)
@blueprint.arguments(price_list_schemas.ListItemsSchema, location="query")
@blueprint.response(200, price_list_schemas.PriceItemsSchema)
@blueprint.refuses()
def list_price_items(said: Said, version: int) -> ItemsPage:
    """List the items of a version by model number."""
    return ask(items_page, version=version, **said)


@blueprint.post("/price-lists")
@needs(Permission.PRICE_LIST_PUBLISH)
@blueprint.arguments(price_list_schemas.PublishPriceListSchema)
@blueprint.response(201, price_list_schemas.PublishedPriceListSchema)
@blueprint.refuses("price_list_date_taken")
def publish_price_list(said: Said) -> tuple[PriceList, Headers]:
    """Publish a version of the list prices; the digest kept of its source is of this request's body."""
    digest = hashlib.sha256(request.get_data()).hexdigest()
    price_list = write(
        publish_price_list_operation, actor=current_viewer(), at=now(), source_sha256=digest, **said
    )
    return price_list, {"Location": url_for("quotes_api.list_price_items", version=price_list.version)}
