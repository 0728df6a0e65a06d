"""What a person types about a warranty claim, and the filters of the list."""

from __future__ import annotations

from wtforms import RadioField, SelectChoice, SelectField
from wtforms.validators import InputRequired

from ledger.forms.adjustments import IdempotencyKeyField
from referral.formkit import DayField, HouseForm, LineField, ModelNumberField, ParagraphField, QuantityField
from referral.listkit import FilterForm
from warranty.queries.claims import CLAIM_STATE_WORDS, ClaimFilter
from warranty.states import ClaimState

REASON_LENGTH = 500
LONGEST_WORDS = 100
ACCEPT, REFUSE = "accept", "refuse"
REPLACE, REPAIR = "replace", "repair"
DECISIONS = (
    SelectChoice(REFUSE, "Refuse it"),
    SelectChoice(ACCEPT, "Accept it all the same, as goodwill"),
)
"""How a failure that is not covered can be decided."""


class OpenClaimForm(HouseForm):
    """What failed, how and when."""

    quantity = QuantityField("How many units failed")
    problem = ParagraphField("What is wrong", longest=REASON_LENGTH)
    failed_on = DayField("Failed on", optional=True)
    idempotency_key = IdempotencyKeyField()


class DecideClaimForm(HouseForm):
    """The account's decision; a reason is for what is not covered."""

    decision = RadioField("Decision", choices=DECISIONS, validators=[InputRequired("Choose what to do.")])
    reason = ParagraphField("Reason", optional=True, longest=REASON_LENGTH)


class FulfilClaimForm(HouseForm):
    """How what failed is made good."""

    how = RadioField(
        "How is it made good?",
        choices=(
            SelectChoice(REPLACE, "Order a warranty replacement"),
            SelectChoice(REPAIR, "It was made good on site, without a replacement"),
        ),
        validators=[InputRequired("Choose how it is made good.")],
    )
    swapped_on = DayField("The new one took its place on", optional=True)
    words = ParagraphField("What was done", optional=True, longest=REASON_LENGTH)


class SwapClaimForm(HouseForm):
    """The day on which the replacement took the failed one's place."""

    swapped_on = DayField("The new one took its place on")


class WithdrawClaimForm(HouseForm):
    """Why a claim is taken back."""

    reason = ParagraphField("Why", longest=REASON_LENGTH)


class FilterClaimsForm(FilterForm):
    """Which claims a list shows."""

    state = SelectField(
        "State",
        choices=[
            SelectChoice("", "Any"),
            *(SelectChoice(state.value, words) for state, words in CLAIM_STATE_WORDS.items()),
        ],
        default="",
    )
    project = LineField("Project or place", optional=True, longest=LONGEST_WORDS)
    company = LineField("Dealer or account", optional=True, longest=LONGEST_WORDS)
    model = ModelNumberField("Model number", optional=True, longest=LONGEST_WORDS)

    @property
    def asked(self) -> ClaimFilter:
        """The filters as the query takes them."""
        return ClaimFilter(
            state=ClaimState(self.state.data) if self.state.data else None,
            project=self.project.data or "",
            company=self.company.data or "",
            model=self.model.data or "",
        )
