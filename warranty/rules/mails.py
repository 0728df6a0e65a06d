"""The mails of warranty claims: what happened, what to do, and the page they lead to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from quotes.rules.mails import MailText
from referral.text import say_day


@dataclass(frozen=True)
class ClaimWords:
    """What the mails say of a claim."""

    ref: str
    what: str
    """How many units of what: 2 units D3-LIGHT (U-HARBOR-7)."""
    project_name: str
    problem: str
    failed_on: date | None


def claim_path(ref: str) -> str:
    """Return the path of a claim's page."""
    return f"/claims/{ref}"


def units_word(count: int) -> str:
    """Return a count of units in words."""
    return f"{count:,} unit{'' if count == 1 else 's'}"


def opened(claim: ClaimWords, *, by: str, decides: bool) -> MailText:
    """To both sides: something failed. `decides`: the readers are to decide it."""
    todo = (
        "Read the coverage answer and decide the claim."
        if decides
        else "The account that sold it decides next; you are told by mail."
    )
    return _mail(f"{claim.ref}: {claim.what} failed", claim, f"{by} opened this claim. {todo}")


def accepted(claim: ClaimWords, *, by: str, reason: str) -> MailText:
    """To the dealer: the claim is accepted, as goodwill where a reason says why."""
    words = f"{by} accepted it as goodwill: {reason}" if reason else f"It is covered. {by} accepted it."
    return _mail(
        f"{claim.ref} is accepted: {claim.what}", claim, f"{words} They replace or repair what failed next."
    )


def refused(claim: ClaimWords, *, by: str, reason: str) -> MailText:
    """To the dealer: the claim is refused, and why."""
    return _mail(f"{claim.ref} is refused: {claim.what}", claim, f"{by} refused it: {reason}")


def repaired(claim: ClaimWords, *, by: str, words: str) -> MailText:
    """To the dealer: what failed was made good without a replacement."""
    return _mail(
        f"{claim.ref} is fulfilled: {claim.what}", claim, f"{by} made it good without a replacement: {words}"
    )


def withdrawn(claim: ClaimWords, *, by: str, reason: str) -> MailText:
    """To both sides: the claim is taken back, and why."""
    return _mail(f"{claim.ref} is withdrawn: {claim.what}", claim, f"{by} took it back: {reason}")


def _mail(subject: str, claim: ClaimWords, words: str) -> MailText:
    failed = f" (failed on {say_day(claim.failed_on)})" if claim.failed_on else ""
    body = f"{claim.what} at {claim.project_name}{failed}: {claim.problem}\n\n{words}\n"
    return MailText(subject, body, claim_path(claim.ref))
