"""Design files: attached with their hash, read by both sides, carried on, checked."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from quotes.models.bills import DesignFile
from quotes.operations.design_files import (
    MAX_DESIGN_BYTES,
    MAX_DESIGN_FILES,
    attach_design_file,
    remove_design_file,
)
from quotes.operations.quotes import start_revision
from quotes.queries.design_files import design_file_faults
from referral.models import Upload
from tests.factories import AT, make_account, make_dealer, make_world, refused, user_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from tests.factories import World
    from tests.pages import PageClient

PLAN = b"%PDF-1.7 <script>alert(1)</script>\x00\xff"


@pytest.fixture
def world(tx: Session) -> World:
    return make_world(tx)


@pytest.fixture
def builder(client: PageClient, tx: Session, world: World) -> PageClient:
    return client.sign_in(user_of(tx, world.account))


def attach(world: World, ref: str, name: str = "plan.pdf", content: bytes = PLAN) -> DesignFile:
    file = attach_design_file(world.tx, actor=world.account, at=AT, ref=ref, filename=name, content=content)
    world.tx.flush()
    return file


def test_a_design_file_is_attached_with_its_hash_and_sent_back_byte_by_byte(
    builder: PageClient, world: World
) -> None:
    ref = world.draft()
    builder.get(f"/quotes/{ref}/draft")
    page = builder.click("Attach or remove design files")
    fields = {"file": (io.BytesIO(PLAN), "plans/plan.html")}
    page = builder.post(f"/quotes/{ref}/files", fields, content_type="multipart/form-data")
    page = builder.get(page.location)
    assert "plan.html is attached." in page.text
    assert hashlib.sha256(PLAN).hexdigest() in page.text
    response = builder.get(page.link("plan.html")).response
    assert response.get_data() == PLAN
    assert response.headers["Content-Disposition"] == "attachment; filename=plan.html"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.mimetype == "application/octet-stream"
    page = builder.get(f"/quotes/{ref}/files")
    page = builder.submit("Remove plan.html")
    assert "No file is attached to this draft yet." in page.text


def test_the_dealer_reads_a_design_file_once_the_revision_is_submitted_and_nobody_else_does(
    builder: PageClient, world: World, tx: Session
) -> None:
    ref = world.draft()
    address = f"/quotes/{ref}/files/{attach(world, ref).id}"
    dealer = builder.other().sign_in(user_of(tx, world.dealer))
    dealer.get(address, status=404)
    world.submit(ref)
    assert dealer.get(address).response.get_data() == PLAN
    assert "plan.pdf" in dealer.get(f"/quotes/{ref}").text
    for stranger in (make_dealer(tx, world.program), make_account(tx, world.program)):
        builder.other().sign_in(user_of(tx, stranger)).get(address, status=404)
    builder.get(f"/quotes/{ref}/files/no-key", status=404)


def test_the_next_revision_carries_the_design_files_on(world: World) -> None:
    ref = world.draft()
    first = attach(world, ref)
    world.submit(ref)
    start_revision(world.tx, actor=world.account, at=AT, ref=ref)
    files = world.tx.scalars(sa.select(DesignFile).order_by(DesignFile.revision_number)).all()
    assert [(file.revision_number, file.sha256, file.upload_id) for file in files] == [
        (1, first.sha256, first.upload_id), (2, first.sha256, first.upload_id),
    ]  # fmt: skip
    remove_design_file(world.tx, actor=world.account, at=AT, ref=ref, file_id=str(files[1].id))
    world.tx.flush()
    assert world.tx.scalars(sa.select(DesignFile.revision_number)).all() == [1]


def test_the_same_file_is_attached_once(world: World) -> None:
    ref = world.draft()
    assert attach(world, ref).id == attach(world, ref).id
    assert len(world.tx.scalars(sa.select(Upload.id)).all()) == 1


def test_design_files_are_refused_where_nothing_may_change(world: World, tx: Session) -> None:
    ref = world.draft()
    file = attach(world, ref)
    said = {"actor": world.account, "at": AT, "ref": ref}
    new = said | {"filename": "a", "content": b"a"}
    refused(tx, "invalid_input", attach_design_file, **new | {"content": b""})
    large = b"x" * (MAX_DESIGN_BYTES + 1)
    refused(tx, "file_too_large_or_not_a_workbook", attach_design_file, **new | {"content": large})
    refused(tx, "forbidden", attach_design_file, **new | {"actor": world.dealer})
    refused(tx, "not_found", remove_design_file, **said, file_id=str(ref))
    for at in range(MAX_DESIGN_FILES - 1):
        attach(world, ref, f"{at}.dwg")
    refused(tx, "invalid_input", attach_design_file, **new)
    world.submit(ref)
    refused(tx, "revision_immutable", attach_design_file, **new)
    refused(tx, "revision_immutable", remove_design_file, **said, file_id=str(file.id))


def test_a_changed_byte_is_not_sent_and_verification_says_so(
    builder: PageClient, world: World, tx: Session
) -> None:
    ref = world.draft()
    file = attach(world, ref)
    assert list(design_file_faults(tx)) == []
    tx.execute(sa.update(Upload).values(content=PLAN + b" "))
    page = builder.get(f"/quotes/{ref}/files/{file.id}", status=409)
    assert "its bytes do not have the SHA-256 it was attached with" in page.text
    (fault,) = design_file_faults(tx)
    assert fault == f"design file plan.pdf of {ref}.1: its bytes are not those that were attached"
