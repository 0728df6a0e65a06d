"""The filters of the list of referrals."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from wtforms import SelectChoice, SelectField

from referral.formkit import DayField, LineField
from referral.listkit import FilterForm
from referral.queries.referrals import ReferralFilter
from referral.states import ReferralState

STATE_WORDS: Mapping[ReferralState, str] = MappingProxyType(
    {
        ReferralState.OPEN: "Waiting for an answer",
        ReferralState.ACCEPTED: "Accepted",
        ReferralState.PARKED: "Parked",
        ReferralState.REFUSED: "Refused",
        ReferralState.WITHDRAWN: "Withdrawn",
        ReferralState.EXPIRED: "Expired",
        ReferralState.CLOSED: "Closed",
    }
)
LONGEST_WORDS = 100


class FilterReferralsForm(FilterForm):
    """Which referrals a list shows, as they stand today."""

    state = SelectField(
        "State",
        choices=[
            SelectChoice("", "Any"),
            *(SelectChoice(state.value, word) for state, word in STATE_WORDS.items()),
        ],
        default="",
    )
    words = LineField("Project, place or company", optional=True, longest=LONGEST_WORDS)
    since = DayField("Opened from", optional=True)
    until = DayField("Opened to", optional=True)

    @property
    def asked(self) -> ReferralFilter:
        """The filters as the query takes them."""
        return ReferralFilter(
            state=ReferralState(self.state.data) if self.state.data else None,
            words=self.words.data or "",
            since=self.since.data,
            until=self.until.data,
        )
