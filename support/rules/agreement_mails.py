"""The mails of agreements: what happened, what to do, and the page they lead to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from quotes.rules.mails import MailText
from referral.text import say_day


@dataclass(frozen=True)
class AgreementWords:
    """What the mails say of an agreement."""

    ref: str
    offer: str
    customer: str
    sites: tuple[str, ...]
    starts_on: date
    last_on: date


def agreement_path(ref: str) -> str:
    """Return the path of an agreement's page."""
    return f"/agreements/{ref}"


def built(agreement: AgreementWords, *, by: str, prices_it: bool, renews: str) -> MailText:
    """To both sides: there is a draft. `prices_it`: the readers state its prices next."""
    todo = (
        "State its price for each contract year, and the tax."
        if prices_it
        else "The program states its prices next; you are told by mail."
    )
    words = f"{by} put it together" + (f" to continue {renews}." if renews else ".")
    return _mail(f"{agreement.ref}: {agreement.offer} for {agreement.customer}", agreement, f"{words} {todo}")


def offered(agreement: AgreementWords, *, total: str, accepts_it: bool) -> MailText:
    """To both sides: it has its prices. `accepts_it`: the readers accept or decline it next."""
    todo = (
        "Read it, and accept or decline it before it starts."
        if accepts_it
        else "The dealer accepts or declines it next; you are told by mail."
    )
    words = f"It is offered for {total} with tax, all contract years together."
    return _mail(f"{agreement.ref} is offered: {agreement.offer}", agreement, f"{words} {todo}")


def revised(agreement: AgreementWords, *, by: str, reason: str) -> MailText:
    """To both sides: it is a draft again, and why."""
    words = (
        f"{by} took it back to a draft: {reason}\n\nAfter it is changed, the program states its prices anew."
    )
    return _mail(f"{agreement.ref} is a draft again: {agreement.offer}", agreement, words)


def accepted(agreement: AgreementWords, *, by: str) -> MailText:
    """To both sides and the accounts: it covers its sites from its first day on."""
    words = f"{by} accepted its terms. It is active from {say_day(agreement.starts_on)}."
    return _mail(f"{agreement.ref} is accepted: {agreement.offer}", agreement, words)


def declined(agreement: AgreementWords, *, by: str, reason: str) -> MailText:
    """To both sides: the dealer does not want it so, and why."""
    return _mail(f"{agreement.ref} is declined: {agreement.offer}", agreement, f"{by} declined it: {reason}")


def withdrawn(agreement: AgreementWords, *, by: str, reason: str) -> MailText:
    """To both sides: it is taken back, and why."""
    return _mail(
        f"{agreement.ref} is withdrawn: {agreement.offer}", agreement, f"{by} took it back: {reason}"
    )


def terminated(agreement: AgreementWords, *, by: str, reason: str) -> MailText:
    """To both sides and the accounts: it ends before its time, and why."""
    words = (
        f"{by} ended it: {reason}\n\nIts last covered day is {say_day(agreement.last_on)}. "
        "What happened until then stays as it is."
    )
    return _mail(f"{agreement.ref} ends on {say_day(agreement.last_on)}: {agreement.offer}", agreement, words)


def _mail(subject: str, agreement: AgreementWords, words: str) -> MailText:
    more = len(agreement.sites) - 1
    sites = agreement.sites[0] + (f" and {more} more site{'' if more == 1 else 's'}" if more > 0 else "")
    term = f"{say_day(agreement.starts_on)} to {say_day(agreement.last_on)}"
    body = f"{agreement.offer} for {agreement.customer}\n{sites}\n{term}\n\n{words}\n"
    return MailText(subject, body, agreement_path(agreement.ref))
