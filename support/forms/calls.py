"""What a person types about a service call, and the filters of the desk's list."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime

from wtforms import HiddenField, SelectChoice, SelectField, ValidationError
from wtforms.widgets import HiddenInput, TimeInput

from ledger.forms.adjustments import IdempotencyKeyField
from referral.formkit import DayField, HouseForm, LineField, ParagraphField, QuantityField
from referral.listkit import FilterForm
from support.queries.call_agreement import CallQuota
from support.queries.calls import CALL_TABS, CallFilter
from support.rules.calendar import wall_time
from support.rules.call_moves import NEEDS_WORDS
from support.rules.call_words import PRIORITY_WORDS
from support.rules.entitlement import PLATFORM_WORDS
from support.states import CallEventKind, Platform, Priority

LONGEST_WORDS = 100
PROBLEM_LENGTH = 1_000
WORDS_LENGTH = 1_000
MOST_USED = 100_000
LARGEST_COUNT = 1_000_000_000
_CLOCK = re.compile(r"\A([01]?[0-9]|2[0-3]):([0-5][0-9])\Z", re.ASCII)


class ClockField(LineField):
    """A time of day as 22:40; '' where it is empty."""

    widget = TimeInput()

    def __init__(self, label: str, **kwargs: object) -> None:
        """Take a time that may be missing."""
        super().__init__(label, optional=True, longest=5, **kwargs)

    def pre_validate(self, form: object) -> None:  # noqa: ARG002 - as WTForms calls it
        """Refuse what is no time of day."""
        if self.data and not _CLOCK.match(self.data):
            raise ValidationError("Type a time as 22:40.")

    @property
    def minute(self) -> int:
        """The minute of the day."""
        match = _CLOCK.match(self.data or "")
        return 0 if match is None else int(match[1]) * 60 + int(match[2])


class _WhenForm(HouseForm):
    """When it happened, by the clocks of the site; empty is now."""

    happened_on = DayField("Day", optional=True)
    happened_time = ClockField("Time")

    def validate_happened_time(self, checked: ClockField) -> None:
        """A time belongs to a day, and a day to a time."""
        if bool(checked.data) is not bool(self.happened_on.data):
            raise ValidationError("Say both the day and the time, or neither: then it is now.")

    def happened_at(self, zone: str) -> datetime | None:
        """The instant that is said, by the clocks of a zone; None where none is."""
        day: date | None = self.happened_on.data
        return None if day is None else wall_time(day, self.happened_time.minute, zone)


class OpenCallForm(_WhenForm):
    """What is wrong, how badly, and what the call is opened under."""

    problem = ParagraphField("What is wrong", longest=PROBLEM_LENGTH)
    platform = SelectField("Which system", default="")
    priority = SelectField("How badly does it hinder the work?", default="")
    under = SelectField("Opened under", default="")
    idempotency_key = IdempotencyKeyField()

    def offer(self, ways: Sequence[tuple[str, str]], *, has_platforms: bool, has_priorities: bool) -> None:
        """Offer these ways to open it; ask for a priority where one of them tells priorities apart."""
        self.under.choices = [SelectChoice(value, words) for value, words in ways]
        if has_platforms:
            self.platform.choices = [
                SelectChoice("", "Not known, or none of these"),
                *(
                    SelectChoice(each.value, words[:1].upper() + words[1:])
                    for each, words in PLATFORM_WORDS.items()
                ),
            ]
        else:
            del self.platform
        if has_priorities:
            self.priority.choices = [
                SelectChoice("", "Choose"),
                *(SelectChoice(each.value, words) for each, words in PRIORITY_WORDS.items()),
            ]
        else:
            del self.priority

    @property
    def said_platform(self) -> Platform | None:
        """The kind of system that is chosen."""
        return Platform(self["platform"].data) if "platform" in self and self["platform"].data else None

    def said_priority(self, *, has_priorities: bool) -> Priority | None:
        """The priority that is chosen, where what it is opened under has priorities."""
        if not has_priorities or "priority" not in self or not self["priority"].data:
            return None
        return Priority(self["priority"].data)


class RecordCallEventForm(_WhenForm):
    """What happened to a call."""

    event_count = QuantityField("Events read", maximum=LARGEST_COUNT, widget=HiddenInput())
    kind = HiddenField("Kind")
    priority = SelectField("New priority", default="")
    reason = SelectField("Why", default="")
    words = ParagraphField("In words", optional=True, longest=WORDS_LENGTH)
    used_grant = SelectField("What was used", default="")
    used = QuantityField("How much", optional=True, maximum=MOST_USED)
    seen = HiddenField("What it comes to, as it was read")

    def validate_event_count(self, checked: QuantityField) -> None:
        """Refuse blanks: nothing is recorded unread."""
        if checked.data is None:
            raise ValidationError("Load the page again.")

    def validate_used(self, checked: QuantityField) -> None:
        """An amount is of something, and something has an amount."""
        if "used_grant" in self and bool(self["used_grant"].data) is (checked.data is None):
            raise ValidationError("Choose what was used and say how much, or leave both.")

    def offer(
        self,
        kind: CallEventKind,
        reasons: Mapping[str, str],
        quotas: Sequence[CallQuota],
        priority: Priority | None,
    ) -> None:
        """Ask for what belongs to this kind."""
        self.words.flags.optional = kind not in NEEDS_WORDS
        if kind is CallEventKind.PRIORITY:
            self.priority.choices = [
                SelectChoice(each.value, words) for each, words in PRIORITY_WORDS.items() if each != priority
            ]
        else:
            del self.priority
        if kind is CallEventKind.PAUSED:
            self.reason.choices = [SelectChoice(key, words) for key, words in reasons.items()]
        else:
            del self.reason
        if kind is CallEventKind.RESOLVED and quotas:
            self.used_grant.choices = [
                SelectChoice("", "Nothing that is counted"),
                *(SelectChoice(each.grant_key, f"{each.name}: {each.left_words}") for each in quotas),
            ]
        else:
            del self.used_grant, self.used, self.seen

    @property
    def said_priority(self) -> Priority | None:
        """The new priority, where one is asked for."""
        return Priority(self["priority"].data) if "priority" in self and self["priority"].data else None


class CorrectCallEventForm(HouseForm):
    """Why an event was wrong."""

    event_count = QuantityField("Events read", maximum=LARGEST_COUNT, widget=HiddenInput())
    reason = ParagraphField("What was wrong", longest=500)

    def validate_event_count(self, checked: QuantityField) -> None:
        """Refuse blanks: nothing is corrected unread."""
        if checked.data is None:
            raise ValidationError("Load the page again.")


class FilterCallsForm(FilterForm):
    """Which calls a list shows."""

    state = SelectField(
        "State", choices=[SelectChoice(value, words) for value, words in CALL_TABS.items()], default=""
    )
    priority = SelectField(
        "Priority",
        choices=[
            SelectChoice("", "Any"),
            *(SelectChoice(each.value, f"Priority {each.value}") for each in Priority),
        ],
        default="",
    )
    handler = LineField("Whose desk", optional=True, longest=LONGEST_WORDS)
    company = LineField("Dealer or account", optional=True, longest=LONGEST_WORDS)
    project = LineField("Project or place", optional=True, longest=LONGEST_WORDS)
    agreement = LineField("Agreement", optional=True, longest=LONGEST_WORDS)
    source = LineField("Unit", optional=True, longest=LONGEST_WORDS)

    @property
    def asked(self) -> CallFilter:
        """The filters as the query takes them."""
        return CallFilter(
            view=self.state.data or "",
            priority=Priority(self.priority.data) if self.priority.data else None,
            handler=self.handler.data or "",
            company=self.company.data or "",
            project=self.project.data or "",
            agreement=self.agreement.data or "",
            source=self.source.data or "",
        )
