"""The mails of quotes and orders: what happened, what to do, until when, and the page they lead to.

A page is a path of this site, written here as the pages' addresses are, for rules know no web.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from referral.text import say_day

CLIP = 60
"""Characters of a project's name in a subject."""


@dataclass(frozen=True)
class Project:
    """What a mail says of the project: its name and place, as on the referral."""

    name: str
    place: str

    @property
    def short(self) -> str:
        """The name, cut where it would make a subject too long to read."""
        return self.name if len(self.name) <= CLIP else f"{self.name[: CLIP - 1].rstrip()}…"


@dataclass(frozen=True)
class MailText:
    """A mail without its recipient: plain text, and the path it leads to."""

    subject: str
    body: str
    path: str


def quote_path(ref: str, revision_number: int) -> str:
    """Return the path of a revision's page."""
    return f"/quotes/{ref}?revision={revision_number}"


def order_path(ref: str) -> str:
    """Return the path of an order's page."""
    return f"/orders/{ref}"


def _units(count: int) -> str:
    return f"{count:,} unit{'' if count == 1 else 's'}"


def _paragraphs(*paragraphs: str) -> str:
    return "\n\n".join(each.strip() for each in paragraphs if each.strip()) + "\n"


def submitted(ref: str, revision_number: int, project: Project, last_day: date | None) -> MailText:
    """To the dealer's approvers: a revision waits for them."""
    return MailText(
        f"{ref} waits for your approval: {project.short}",
        _paragraphs(
            f"Revision {revision_number} of {ref} for {project.name}, {project.place}, is submitted.",
            f"Read it line by line, then approve it, ask for changes, or decline it. It holds through "
            f"{say_day(last_day)}.",
        ),
        quote_path(ref, revision_number),
    )


def changes_asked(
    ref: str, revision_number: int, project: Project, *, by: str, reason: str, remarks: int
) -> MailText:
    """To the account's builders: the dealer wants something else."""
    lines = f"{remarks:,} line{' has' if remarks == 1 else 's have'} a remark." if remarks else ""
    return MailText(
        f"{ref} is sent back with a request for changes: {project.short}",
        _paragraphs(
            f"{by} asks for changes to revision {revision_number} of {ref} for {project.name}, {project.place}.",
            f"Reason: {reason}" if reason else "",
            lines,
            "Start the next revision, change what is asked for, and submit it.",
        ),
        quote_path(ref, revision_number),
    )


def approved(ref: str, revision_number: int, project: Project, *, by: str, last_day: date | None) -> MailText:
    """To the account's builders: the revision can be ordered."""
    return MailText(
        f"{ref} is approved: {project.short}",
        _paragraphs(
            f"{by} approves revision {revision_number} of {ref} for {project.name}, {project.place}.",
            f"Order from it, whole or in parts, through {say_day(last_day)}.",
        ),
        quote_path(ref, revision_number),
    )


def declined(ref: str, revision_number: int, project: Project, *, by: str, reason: str) -> MailText:
    """To the account's builders: the dealer does not want this revision."""
    return MailText(
        f"{ref} is declined: {project.short}",
        _paragraphs(
            f"{by} declines revision {revision_number} of {ref} for {project.name}, {project.place}.",
            f"Reason: {reason}",
            "Nothing is to be done. A new revision can be submitted if the dealer still wants one.",
        ),
        quote_path(ref, revision_number),
    )


def ordered(number: str, ref: str, project: Project) -> MailText:
    """To the dealer's approvers: products are ordered and the credit is posted."""
    return MailText(
        f"{number} is ordered: {project.short}",
        _paragraphs(
            f"Order {number} of quote {ref} for {project.name}, {project.place}, is entered.",
            "Its sales credit is on your statement. Nothing is to be done.",
        ),
        order_path(number),
    )


def shipped(number: str, *, units: int, day: date, carrier: str, tracking_number: str) -> MailText:
    """To the dealer's approvers: products are on their way."""
    by = f" by {carrier}" if carrier else ""
    tracked = f", tracking number {tracking_number}" if tracking_number else ""
    return MailText(
        f"{number}: {units:,} {'unit has' if units == 1 else 'units have'} shipped",
        _paragraphs(
            f"{_units(units)} of order {number} shipped on {say_day(day)}{by}{tracked}.",
            "Your sales credit stays as it is. What has shipped can be returned, and cancelled no more.",
        ),
        order_path(number),
    )


def cancelled(number: str, *, is_whole: bool, reason: str) -> MailText:
    """To the dealer's approvers: products will not ship, and their credit is taken back."""
    return MailText(
        f"{number}: {'the order' if is_whole else 'a part of the order'} is cancelled",
        _paragraphs(f"Reason: {reason}", "Its credit is taken back on your statement."),
        order_path(number),
    )


def returned(number: str, *, units: int, reason: str) -> MailText:
    """To the dealer's approvers: products came back, and their credit is taken back."""
    return MailText(
        f"{number}: {units:,} {'unit is' if units == 1 else 'units are'} returned",
        _paragraphs(f"Reason: {reason}", "The credit of what came back is taken back on your statement."),
        order_path(number),
    )


def replaced(number: str, *, units: int, reason: str) -> MailText:
    """To the dealer's approvers: failed units are replaced under warranty."""
    return MailText(
        f"{number}: {units:,} {'unit is' if units == 1 else 'units are'} replaced under warranty",
        _paragraphs(
            f"Reason: {reason}",
            "This costs you nothing and needs no approval. Your sales credit stays as it is.",
        ),
        order_path(number),
    )


def expiring(ref: str, revision_number: int, project: Project, *, last_day: date | None) -> MailText:
    """To the dealer's approvers: a revision they have not decided expires soon."""
    return MailText(
        f"{ref} expires on {say_day(last_day)}: {project.short}",
        _paragraphs(
            f"Revision {revision_number} of {ref} for {project.name}, {project.place}, still waits for your "
            "decision.",
            f"Its last day is {say_day(last_day)}. Approve it, ask for changes, or decline it until then: "
            "afterwards it needs a new revision.",
        ),
        quote_path(ref, revision_number),
    )


def expiring_unordered(
    ref: str, revision_number: int, project: Project, *, units: int, last_day: date | None
) -> MailText:
    """To the account's builders: an approved revision with something left to order expires soon."""
    return MailText(
        f"{ref} can be ordered until {say_day(last_day)}: {project.short}",
        _paragraphs(
            f"Revision {revision_number} of {ref} for {project.name}, {project.place}, is approved, and "
            f"{_units(units)} of it {'is' if units == 1 else 'are'} not ordered yet.",
            f"Its last day is {say_day(last_day)}. Order what is wanted until then: afterwards it needs a new "
            "revision and a new approval.",
        ),
        quote_path(ref, revision_number),
    )


def remarked(ref: str, revision_number: int, project: Project, *, by: str, about: str, text: str) -> MailText:
    """To the other side: somebody said something about a revision or one of its lines."""
    return MailText(
        f"{ref}: a remark by {by}",
        _paragraphs(
            f"{by} says about {about} of revision {revision_number} of {ref} for {project.name}, "
            f"{project.place}:",
            text,
            "Read the thread on the quote's page; you can answer there.",
        ),
        f"{quote_path(ref, revision_number)}#thread",
    )


def services_offered(
    ref: str, revision_number: int, project: Project, *, by: str, total: str, note: str
) -> MailText:
    """To the other side: another offer for the services of a revision."""
    return MailText(
        f"{ref}: {total} offered for the services: {project.short}",
        _paragraphs(
            f"{by} offers {total} for services and labor of revision {revision_number} of {ref} for {project.name}, "
            f"{project.place}.",
            note,
            "Agree to it, or make another offer. Until services are agreed nothing can be ordered.",
        ),
        f"{quote_path(ref, revision_number)}#services",
    )


def services_agreed(ref: str, revision_number: int, project: Project, *, by: str, total: str) -> MailText:
    """To the other side: its offer for the services holds."""
    return MailText(
        f"{ref}: your services are agreed: {project.short}",
        _paragraphs(
            f"{by} agrees to {total} for services and labor of revision {revision_number} of {ref} for "
            f"{project.name}, {project.place}.",
            "Nothing is to be done about them any more.",
        ),
        f"{quote_path(ref, revision_number)}#services",
    )


def price_recalled(
    ref: str,
    revision_number: int,
    project: Project,
    model_numbers: Sequence[str],
    reasons: Sequence[str],
    *,
    is_approved: bool,
) -> MailText:
    """To both sides: a price of a revision that is waiting or approved is recalled."""
    many = len(model_numbers) > 1
    return MailText(
        f"{ref}: {'prices are' if many else 'a price is'} recalled: {project.short}",
        _paragraphs(
            f"The program recalled the list price of {', '.join(model_numbers)} in revision {revision_number} of "
            f"{ref} for {project.name}, {project.place}.",
            f"Reason: {' '.join(reasons)}",
            f"The revision was approved before that, and the approval stands. {'These lines are' if many else 'This line is'} "
            "ordered no more at that price; the other lines still can be. What is ordered already stays ordered, "
            "and its sales credit does not change."
            if is_approved
            else "It can no longer be approved as it is.",
            "The account quotes it again in a next revision, at the price that then holds.",
        ),
        quote_path(ref, revision_number),
    )
