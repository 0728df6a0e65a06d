"""What a person types about visits: when and where, why, what was done; and the filters of the list."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from wtforms import SelectChoice, SelectField, TimeField, ValidationError
from wtforms.validators import InputRequired
from wtforms.widgets import HiddenInput

from ledger.forms.adjustments import IdempotencyKeyField
from referral.formkit import (
    EARLIEST_DAY,
    LATEST_DAY,
    LINE_LENGTH,
    DayField,
    HouseForm,
    LineField,
    ParagraphField,
    QuantityField,
    TicksField,
)
from referral.listkit import FilterForm
from referral.text import clean_line
from support.queries.visits import VISIT_STATE_WORDS, VisitFilter
from support.queries.visits_page import SiteChoice
from support.queries.visits_to_plan import slot_key
from support.rules.slots import SlotKey
from support.states import VisitState

REASON_LENGTH = 500
WORDS_LENGTH = 1_000
NAME_LENGTH = 100
LONGEST_WORDS = 100
SLOT_LENGTH = 200
LARGEST_COUNT = 1_000_000_000
UNSCHEDULED = "unscheduled"
"""The view of the list that shows what has no date."""


class TimeOfDayField(TimeField):
    """A time of day as 09:00; `data` is a time, None where it cannot be read."""

    data: Any

    def __init__(self, label: str, **kwargs: Any) -> None:
        """Take hours and minutes."""
        super().__init__(label, [InputRequired("This is needed.")], **kwargs)

    def _value(self) -> str:
        if self.raw_data:
            return clean_line(str(self.raw_data[0]))[:LINE_LENGTH]
        return "" if self.data is None else self.data.strftime("%H:%M")


class MonthField(LineField):
    """A month as 2026-05; `month` is its first day, None where it is empty."""

    month: date | None = None

    def pre_validate(self, _form: object) -> None:
        """Read the month. Raises ValidationError with what to type instead."""
        if not self.data:
            return
        try:
            self.month = date.fromisoformat(f"{self.data}-01")
        except ValueError as error:
            raise ValidationError("Type a month such as 2026-05.") from error
        if not EARLIEST_DAY <= self.month <= LATEST_DAY:
            raise ValidationError("Type a month from 2000 to 2099.")


class _ReadForm(HouseForm):
    """A form of a visit, which says what it was read with."""

    sequence = QuantityField("Changes read", minimum=0, maximum=LARGEST_COUNT, widget=HiddenInput())

    def validate_sequence(self, checked: QuantityField) -> None:
        """Refuse blanks: nothing is changed unread."""
        if checked.data is None:
            raise ValidationError("Load the page again.")


class _DateForm(HouseForm):
    """When and where a visit is, and for what."""

    site_id = SelectField("Site", coerce=clean_line)
    day = DayField("Day")
    starts = TimeOfDayField("From")
    ends = TimeOfDayField("To")
    purposes = TicksField("What for")
    words = ParagraphField("What to know before", optional=True, longest=WORDS_LENGTH)

    def offer(self, sites: Sequence[SiteChoice], purposes: Sequence[str]) -> None:
        """Let them choose from these; without purposes nobody asks for one."""
        self.site_id.choices = [SelectChoice(str(site.id), site.words) for site in sites]
        self.purposes.choices = list(purposes)

    @property
    def said(self) -> dict[str, Any]:
        """The date as operations take it."""
        return {
            "site_id": UUID(self.site_id.data),
            "day": self.day.data,
            "starts": self.starts.data,
            "ends": self.ends.data,
            "purposes": self.purposes.data or [],
            "words": self.words.data,
        }


class PlanVisitForm(_DateForm):
    """A slot gets its date."""

    slot = LineField("Visit", longest=SLOT_LENGTH, widget=HiddenInput())
    idempotency_key = IdempotencyKeyField()

    def validate_slot(self, checked: LineField) -> None:
        """Refuse what names no slot."""
        if slot_key(checked.data) is None:
            raise ValidationError("Load the page again.")

    @property
    def key(self) -> SlotKey:
        """Which slot it is, once it is validated."""
        key = slot_key(self.slot.data)
        if key is None:
            raise LookupError("a validated form names a slot")
        return key


class MoveVisitForm(_DateForm, _ReadForm):
    """A visit gets another date."""


class CancelVisitForm(_ReadForm):
    """Why a visit does not take place."""

    reason = ParagraphField("Why", longest=REASON_LENGTH)


class ConvertVisitForm(_ReadForm):
    """The emergency that a remote session is needed for."""

    problem = ParagraphField("What is the emergency", longest=REASON_LENGTH)


class SignOffVisitForm(_ReadForm):
    """What was done on a visit, and who signed for it."""

    checked = TicksField("What was checked")
    report = ParagraphField("Report", longest=WORDS_LENGTH * 4)
    signed_name = LineField("Who signed for the customer", longest=NAME_LENGTH)

    def offer(self, points: Sequence[str]) -> None:
        """Let them tick these points; without any nobody asks for them."""
        if points:
            self.checked.choices = list(points)
        else:
            del self.checked

    @property
    def ticked(self) -> list[str]:
        """The points that are ticked."""
        return list(self.checked.data or []) if "checked" in self else []


class FilterVisitsForm(FilterForm):
    """Which visits a list shows."""

    state = SelectField(
        "State",
        choices=[
            SelectChoice("", "Any"),
            SelectChoice(UNSCHEDULED, "Without a date"),
            *(SelectChoice(state.value, words) for state, words in VISIT_STATE_WORDS.items()),
        ],
        default="",
    )
    month = MonthField("Month", optional=True, longest=LONGEST_WORDS)
    project = LineField("Project, site or customer", optional=True, longest=LONGEST_WORDS)

    @property
    def is_unscheduled(self) -> bool:
        """Whether what has no date is asked for."""
        return bool(self.state.data == UNSCHEDULED)

    @property
    def asked(self) -> VisitFilter:
        """The filters as the query takes them."""
        state = self.state.data or ""
        return VisitFilter(
            state=VisitState(state) if state and state != UNSCHEDULED else None,
            month=self.month.month,
            project=self.project.data or "",
        )
