"""Checkpoints: what was signed, and taking one now."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from flask import current_app, render_template, send_file
from werkzeug.wrappers import Response

from ledger.operations.checkpoints import take_checkpoint as operation
from ledger.queries.checkpoints import checkpoints_page
from ledger.views.blueprint import blueprint
from referral.clock import now
from referral.db import write
from referral.permissions import Permission
from referral.signing import load_signer
from referral.webkit import ask, current_viewer, needs


@blueprint.get("/credit/checkpoints")
@needs(Permission.CREDIT_EXPORT)
def checkpoints() -> str:
    """List the newest checkpoints with their codes, and say how to check them."""
    signer = load_signer(Path(current_app.config["SIGNING_KEY"]))
    return render_template(
        "ledger/checkpoints.html", rows=ask(checkpoints_page), public_key=signer.public_key
    )


@blueprint.post("/credit/checkpoints")
@needs(Permission.CREDIT_EXPORT)
def take_checkpoint() -> Response:
    """Take a checkpoint and send its file, which is not kept here."""
    taken = write(
        operation,
        actor=current_viewer(),
        at=now(),
        signer=load_signer(Path(current_app.config["SIGNING_KEY"])),
    )
    return send_file(
        BytesIO(taken.write()), "application/json", as_attachment=True, download_name=taken.filename
    )
