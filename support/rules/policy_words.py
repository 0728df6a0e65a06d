"""What a policy promises, in sentences that people read."""

from __future__ import annotations

from datetime import timedelta

from support.rules.policy import Obligation, Policy
from support.states import CallEventKind

START_WORDS = {
    CallEventKind.OPENED: "the call was opened",
    CallEventKind.CONFIRMED: "the problem was confirmed",
    CallEventKind.PRIORITY: "the priority was set",
    CallEventKind.RESPONDED: "somebody was there",
    CallEventKind.NOTIFIED: "account management was told",
    CallEventKind.ESCALATED: "the call was escalated",
    CallEventKind.FOLLOWED_UP: "the customer was called",
    CallEventKind.UPDATED: "the customer was told how it stands",
    CallEventKind.PROGRESS_STOPPED: "progress stopped",
}
_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)


def say_policy(policy: Policy) -> tuple[str, ...]:
    """Return a sentence for each obligation, one for the paging, or that nothing is due by an instant."""
    names = {obligation.key: obligation.name for obligation in policy.obligations}
    sentences = [say_obligation(obligation, names) for obligation in policy.obligations]
    if not sentences:
        sentences.append("Nothing is due by an instant.")
    if policy.pages_out_of_hours_at is not None:
        at = policy.pages_out_of_hours_at.value
        worse = "" if at == "1" else " or worse"
        sentences.append(
            f"Opened outside the hours of the desk, priority {at}{worse} pages somebody at once."
        )
    return tuple(sentences)


def say_obligation(obligation: Obligation, names: dict[str, str]) -> str:
    """Return what is owed, how long after what, and what holds its clock. `names` are those of the policy, by key."""
    of = "" if obligation.of_priority is None else f"Priority {obligation.of_priority.value}: "
    if isinstance(obligation.anchor, tuple):
        start = f"“{names[obligation.anchor[1]]}” is due"
    else:
        start = START_WORDS[obligation.anchor]
    length = say_length(obligation)
    when = f"within {length} after {start}"
    if obligation.repeats:
        until = " until it is resolved" if CallEventKind.RESOLVED in obligation.stopped_by else ""
        when = f"every {length} from when {start}{until}"
    kind = " It is a target: a miss is shown, and is no breach." if obligation.is_soft else ""
    pause = " A pause holds it." if obligation.is_pausable else " It never pauses."
    return f"{of}{obligation.name}, {when}.{kind}{pause}"


def say_length(obligation: Obligation) -> str:
    """Return an obligation's length as it is said: 15 minutes, 2 hours, 3 business days, calendar day."""
    if obligation.elapsed is not None:
        if obligation.elapsed % _HOUR:
            return _counted(obligation.elapsed // _MINUTE, "minute")
        return _counted(obligation.elapsed // _HOUR, "hour")
    if obligation.business_days is not None:
        return _counted(obligation.business_days, "business day")
    days = obligation.calendar_days or 0
    return "calendar day" if obligation.repeats and days == 1 else _counted(days, "calendar day")


def _counted(count: int, unit: str) -> str:
    return f"{count:,} {unit}{'' if count == 1 else 's'}"
