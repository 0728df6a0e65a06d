"""The JSON API of remarks: the thread of a revision."""

from __future__ import annotations

from quotes.api.blueprint import REVISION, Answer, Said, blueprint
from quotes.models.quotes import Remark
from quotes.operations.remarks import add_remark as add_remark_operation
from quotes.queries.remarks import remarks_page
from quotes.schemas import remarks as remark_schemas
from referral.clock import now
from referral.db import write
from referral.permissions import Permission
from referral.webkit import ask, current_viewer, needs


@blueprint.get(f"{REVISION}/remarks")
@needs(Permission.QUOTE_VIEW)
@blueprint.response(200, remark_schemas.RemarksSchema)
@blueprint.refuses()
def list_remarks(ref: str, revision_number: int) -> Answer:
    """List what both sides said about a revision, oldest first."""
    items = ask(remarks_page, viewer=current_viewer(), at=now(), ref=ref, revision_number=revision_number)
    return {"items": items, "next": None}


@blueprint.post(f"{REVISION}/remarks")
@needs(Permission.QUOTE_REMARK)
@blueprint.arguments(remark_schemas.AddRemarkSchema)
@blueprint.response(201, remark_schemas.AddedRemarkSchema)
@blueprint.refuses("delegation_expired", "not_on_revision")
def add_remark(said: Said, ref: str, revision_number: int) -> Remark:
    """Say something about a submitted revision or one of its lines; the other side gets a mail."""
    return write(
        add_remark_operation,
        actor=current_viewer(),
        at=now(),
        ref=ref,
        revision_number=revision_number,
        **said,
    )
