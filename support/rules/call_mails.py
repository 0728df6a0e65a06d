"""The mails of service calls: opened, changed, due soon, missed, and the page at night."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from quotes.rules.mails import MailText
from support.rules.call_projection import DUE, MISSED, OPENED, PAGE, Owed
from support.rules.call_words import say_at, say_left

MOST_LINES = 10
"""Things that one mail names; of more it says how many."""


@dataclass(frozen=True)
class CallWords:
    """What the mails say of a call."""

    ref: str
    what: str
    """Where, and of which unit or system."""
    problem: str
    zone: str
    """The time zone of its site."""
    priority: str = ""


def call_path(ref: str) -> str:
    """Return the path of a call's page."""
    return f"/calls/{ref}"


def opened(call: CallWords, *, by: str, handler: str, works: bool, due: str) -> MailText:
    """To both sides: help is asked for. `works`: the readers' desk works on it; `due`: what is due first."""
    todo = (
        "Your desk works on it: open the call and confirm the problem."
        if works
        else f"{handler} works on it; you see on its page how it stands."
    )
    return _mail(
        f"{call.ref}: help is asked for at {call.what}", call, f"{by} opened this call. {due}\n{todo}"
    )


def closed(call: CallWords, *, by: str, how: str, words: str) -> MailText:
    """To the dealer: the call is resolved, reopened or withdrawn."""
    said = f": {words}" if words else "."
    return _mail(f"{call.ref} is {how}: {call.what}", call, f"{by} recorded it as {how}{said}")


def due_now(call: CallWords, *, notices: Sequence[Owed], at: datetime) -> MailText:
    """To the desk: what is due soon, was missed, or pages; one mail for all of one call."""
    kinds = {each.kind for each in notices}
    lines = [_line(each, call.zone, at) for each in notices if each.kind in {DUE, MISSED}]
    more = len(lines) - MOST_LINES
    said = lines[-MOST_LINES:] + ([f"And {more:,} more."] if more > 0 else [])
    if PAGE in kinds:
        subject = f"PAGE NOW: {call.ref}, {call.what}"
        said.insert(0, "The desk is closed, and this cannot wait: somebody goes to work on it now.")
    elif MISSED in kinds:
        first = next(each for each in notices if each.kind == MISSED)
        subject = f"Missed: {call.ref}, {first.name}"
    elif DUE in kinds:
        first = next(each for each in notices if each.kind == DUE)
        subject = f"Due soon: {call.ref}, {first.name}"
    else:
        subject = f"Still open: {call.ref}, {call.what}"
    if OPENED in kinds:
        said.append("It came while the desk was closed. The desk is open now, and the call is not resolved.")
    return _mail(subject, call, "\n".join(said))


def _line(notice: Owed, zone: str, at: datetime) -> str:
    when = say_at(notice.due_at, zone)
    if notice.kind == MISSED:
        return f"Missed: {notice.name}. It was due {when}."
    return f"Due {when}: {notice.name}. {say_left(notice.due_at, at)}."


def _mail(subject: str, call: CallWords, words: str) -> MailText:
    priority = f" (priority {call.priority})" if call.priority else ""
    body = f"{call.what}{priority}: {call.problem}\n\n{words}\n"
    return MailText(subject[:200], body, call_path(call.ref))
