"""The mails of visits: to both sides, what happened and what is next."""

from __future__ import annotations

from dataclasses import dataclass

from quotes.rules.mails import MailText


@dataclass(frozen=True)
class VisitWords:
    """What the mails say of a visit."""

    ref: str
    when: str
    """Its day and times, as it is at the site."""
    what: str
    """The grant or schedule it is of."""
    purposes: tuple[str, ...]
    site: str
    agreement: str
    """The agreement's number."""
    words: str


def visit_path(ref: str) -> str:
    """Return the path of a visit's page."""
    return f"/visits/{ref}"


def planned(visit: VisitWords, *, by: str) -> MailText:
    """To both sides: a visit has a date."""
    return _mail(f"{visit.ref} is planned: {visit.when}", visit, f"{by} planned this visit.")


def moved(visit: VisitWords, *, by: str, before: str) -> MailText:
    """To both sides: a visit is at another time, at another place, or for something else."""
    told = f"It was planned for {before}." if before != visit.when else "Its day and time are the same."
    return _mail(f"{visit.ref} is changed: {visit.when}", visit, f"{by} changed this visit. {told}")


def cancelled(visit: VisitWords, *, by: str, reason: str) -> MailText:
    """To both sides: a visit does not take place, and can be planned anew."""
    told = f"{by} cancelled this visit: {reason}\n\nIt can be planned again for another day."
    return _mail(f"{visit.ref} is cancelled: {visit.when}", visit, told)


def converted(visit: VisitWords, *, by: str, problem: str, call: str) -> MailText:
    """To both sides: a visit became a remote session."""
    told = (
        f"{by} changed this visit for a remote session: {problem}\n\n"
        f"Service call {call} is open for it. The visit is used up by it."
    )
    return _mail(f"{visit.ref} becomes a remote session", visit, told)


def _mail(subject: str, visit: VisitWords, told: str) -> MailText:
    lines = [f"{visit.what}: {', '.join(visit.purposes)}", f"{visit.when}, {visit.site}", visit.agreement]
    if visit.words:
        lines.append(visit.words)
    return MailText(subject, f"{told}\n\n" + "\n".join(lines) + "\n", visit_path(visit.ref))
