"""The paper of a revision as a PDF: the same bytes for the same state of the revision.

What people typed goes in as data of the template and is shown as text; it is never markup, so that nothing typed
can run, read a file or change another part of the paper.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from pathlib import Path

import typst

from quotes.queries.papers import SERVICE_WORDS, RevisionPaper
from referral.money import format_cents
from referral.text import say_day

TEMPLATE = Path(__file__).parent.parent.parent / "templates" / "quotes" / "revision.typ"
WITHOUT_GLYPHS = re.compile("[\u0900-\u109f\u1100-\u1cff\u2e80-\ufaff\U00010000-\U0010ffff]")
"""Scripts and pictures that the typesetter's own fonts lack: it draws a box for each sign."""

SAME_PAGE = "The page behind the QR code shows the digests of content, products and services."
BOXES = "Signs that stand as boxes are not in the fonts of this file; the page behind the QR code shows them."
SayInstant = Callable[[datetime | None], str]


class PaperSize(StrEnum):
    """The papers it is set for."""

    LETTER = "us-letter"
    A4 = "a4"


@cache
def _fonts() -> typst.Fonts:
    """The fonts that come with the typesetter: none of the machine's, so that the bytes are the same anywhere."""
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=True)


def verdict(paper: RevisionPaper, say_instant: SayInstant) -> str:
    """Say plainly whether the revision is approved, when and by whom."""
    if paper.approved_at is None:
        return "Not approved."
    return f"Approved on {say_instant(paper.approved_at)} by {paper.approved_by}."


def write_revision_pdf(
    paper: RevisionPaper, *, address: str, qr_svg: str, size: PaperSize, say_instant: SayInstant
) -> bytes:
    """Return the PDF: tagged, dated by the approval or the submission. `address` is what the QR code opens."""
    data = json.dumps(_data(paper, address, qr_svg, size, say_instant))
    compiler = typst.Compiler(TEMPLATE, root=TEMPLATE.parent, font_paths=_fonts(), sys_inputs={"data": data})
    content = compiler.compile(format="pdf", timestamp=paper.dated_at.astimezone(UTC).replace(microsecond=0))
    if not isinstance(content, bytes):
        raise TypeError("the paper is one document")
    return content


def _data(
    paper: RevisionPaper, address: str, qr_svg: str, size: PaperSize, say_instant: SayInstant
) -> dict[str, object]:
    """Return all that the template shows, as texts."""
    title = f"{paper.ref} revision {paper.number}: {paper.project_name}"
    approval = (
        []
        if paper.approved_at is None
        else [
            ("Name as typed", paper.typed_name),
            ("Account number as typed", paper.typed_account_number),
        ]
    )
    data: dict[str, object] = {
        "title": title,
        "author": paper.account_name,
        "paper": size.value,
        "footer": f"{paper.ref} · revision {paper.number} · content code {paper.content_code}",
        "eyebrow": f"Quote {paper.ref} · revision {paper.number}",
        "project": paper.project_name,
        "place": paper.place,
        "verdict": verdict(paper, say_instant),
        "standing": paper.standing,
        "address": address,
        "qr": qr_svg,
        "facts": _facts(paper, say_instant),
        "note": paper.note,
        "currency": paper.currency,
        "rooms": [
            {
                "name": room.name or "No room named",
                "amount": format_cents(room.amount_cents),
                "lines": [
                    (
                        line.model_number,
                        line.description,
                        f"{line.quantity:,}" + ("" if line.unit in {"", "each"} else f" {line.unit}"),
                        format_cents(line.list_price_cents),
                        format_cents(line.amount_cents),
                    )
                    for line in room.lines
                ],
            }
            for room in paper.rooms
        ],
        "products": format_cents(paper.products_cents),
        "services": [
            (SERVICE_WORDS[service.kind], service.description, format_cents(service.amount_cents))
            for service in paper.services
        ],
        "services_sum": format_cents(paper.services_cents),
        "services_words": paper.services_words,
        "all": format_cents(paper.all_cents),
        "approval": approval,
        "attestations": paper.attestations,
        "proof": f"{paper.proof} {SAME_PAGE}",
        "digests": [
            ("Content", paper.digest),
            ("Products", paper.products_digest),
            ("Services", paper.services_digest),
            *([("Offer for the services", paper.offer_digest)] if paper.offer_digest else []),
        ],
    }
    lacks = WITHOUT_GLYPHS.search(json.dumps(data, ensure_ascii=False, default=list))
    return data | {"boxes": BOXES if lacks else ""}


def _facts(paper: RevisionPaper, say_instant: SayInstant) -> list[tuple[str, str]]:
    facts = [
        ("Dealer", paper.dealer_name),
        ("Lutron account number of the dealer", paper.account_number),
        ("Quoted by", paper.account_name),
        ("Submitted", f"{say_instant(paper.submitted_at)}, {paper.submitted_by}"),
        ("Price list", f"version {paper.price_list}, valid from {say_day(paper.price_list_from)}"),
        ("Lines", f"{paper.line_count:,}"),
    ]
    if paper.expires_on is not None:
        facts.append(("Valid through", say_day(paper.expires_on)))
    return facts
