"""Design files behind a revision: what is attached, the file itself, and whether its bytes are still the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from quotes.models.bills import DesignFile
from quotes.models.quotes import Quote, Revision
from quotes.queries.quotes import quote_by_ref, sees_drafts
from quotes.rules.content import against_building
from quotes.states import RevisionState
from referral.errors import Refusal
from referral.ids import PublicNumber
from referral.models import Company, Referral, Upload, User
from referral.permissions import Viewer
from referral.queries.records import page_key
from referral.queries.referrals import dealer_of_number
from referral.states import ReferralState


@dataclass(frozen=True)
class DesignFileRow:
    """A file that a revision's lines came from, as the revision's page shows it."""

    id: UUID
    filename: str
    size: int
    """In bytes."""
    sha256: str
    added_by: str
    added_at: datetime


def design_files_of(
    tx: Session, *, dealer_id: UUID, quote_id: UUID, revision_number: int
) -> tuple[DesignFileRow, ...]:
    """Return the files of a revision that the viewer was allowed to see, the oldest first."""
    rows = tx.execute(
        sa.select(DesignFile, User.name)
        .join(User, User.id == DesignFile.added_by)
        .where(
            DesignFile.dealer_id == dealer_id,
            DesignFile.quote_id == quote_id,
            DesignFile.revision_number == revision_number,
        )
        .order_by(DesignFile.added_at, DesignFile.id)
    )
    return tuple(
        DesignFileRow(file.id, file.filename, file.size, file.sha256, name, file.added_at)
        for file, name in rows
    )


@dataclass(frozen=True)
class DesignFilesPage:
    """The files of a quote's draft, for the account that makes it."""

    ref: str
    project_name: str
    revision_number: int
    refused: str
    """What stands against building, as a code: the newest revision is submitted, or the project closed."""
    files: tuple[DesignFileRow, ...]


def design_files_page(tx: Session, *, viewer: Viewer, ref: str) -> DesignFilesPage:
    """Return the files of the newest revision.

    Raises Refusal(not_found), and (forbidden) for all but the account that makes the quote.
    """
    quote = _quote(tx, viewer, ref)
    if not sees_drafts(viewer, quote):
        raise Refusal("forbidden")
    revision = tx.get_one(Revision, (quote.dealer_id, quote.id, quote.latest_revision))
    referral = tx.get_one(Referral, (quote.dealer_id, quote.referral_id))
    return DesignFilesPage(
        ref=ref,
        project_name=referral.project_name,
        revision_number=revision.number,
        refused=against_building(revision.state, is_closed=referral.state is not ReferralState.ACCEPTED),
        files=design_files_of(
            tx, dealer_id=quote.dealer_id, quote_id=quote.id, revision_number=revision.number
        ),
    )


def _quote(tx: Session, viewer: Viewer, ref: str) -> Quote:
    dealer_id, number = dealer_of_number(tx, ref, "Q")
    quote = tx.scalars(quote_by_ref(viewer, dealer_id, number)).one_or_none()
    if quote is None:
        raise Refusal("not_found")
    return quote


def design_file_content(tx: Session, *, viewer: Viewer, ref: str, file_id: str) -> tuple[str, bytes]:
    """Return the name and the bytes of a file, for whoever may see its revision.

    Raises Refusal(not_found), and (file_changed) where the bytes are not those that were attached.
    """
    quote = _quote(tx, viewer, ref)
    statement = (
        sa.select(DesignFile, Upload.content)
        .join(Upload, sa.and_(Upload.company_id == DesignFile.account_id, Upload.id == DesignFile.upload_id))
        .join(
            Revision,
            sa.and_(
                Revision.dealer_id == DesignFile.dealer_id,
                Revision.quote_id == DesignFile.quote_id,
                Revision.number == DesignFile.revision_number,
            ),
        )
        .where(
            DesignFile.dealer_id == quote.dealer_id,
            DesignFile.quote_id == quote.id,
            DesignFile.id == page_key(file_id),
        )
    )
    if not sees_drafts(viewer, quote):
        statement = statement.where(Revision.state != RevisionState.DRAFT)
    found = tx.execute(statement).one_or_none()
    if found is None:
        raise Refusal("not_found")
    file, content = found
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise Refusal(
            "file_changed",
            f"{file.filename} is not the file that was attached: its bytes do not have the SHA-256 it was "
            "attached with. Nothing is sent. Tell the program.",
        )
    return file.filename, content


def design_file_faults(tx: Session) -> Iterator[str]:
    """Yield a sentence for each design file whose stored bytes are not those that were attached."""
    digests: dict[tuple[UUID, UUID], tuple[str, int]] = {}
    files = tx.execute(
        sa.select(DesignFile, Quote.number, Company.code)
        .join(Quote, sa.and_(Quote.dealer_id == DesignFile.dealer_id, Quote.id == DesignFile.quote_id))
        .join(Company, Company.id == DesignFile.dealer_id)
        .order_by(DesignFile.dealer_id, DesignFile.id)
    ).all()
    for file, number, code in files:
        place = (file.account_id, file.upload_id)
        if place not in digests:  # one file at a time: together they need not fit into memory
            content = tx.scalar(
                sa.select(Upload.content).where(Upload.company_id == place[0], Upload.id == place[1])
            )
            digests[place] = (hashlib.sha256(content or b"").hexdigest(), len(content or b""))
        if digests[place] != (file.sha256, file.size):
            quote = PublicNumber("Q", code, number)
            yield f"design file {file.filename} of {quote}.{file.revision_number}: its bytes are not those that were attached"
