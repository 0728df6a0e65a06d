"""The filters of the lists of quotes and orders."""

from __future__ import annotations

from wtforms import SelectChoice, SelectField

from quotes.queries.listings import QUOTE_STATE_WORDS, QuoteFilter
from quotes.queries.order_listings import ORDER_STATE_WORDS, OrderFilter
from referral.formkit import CentsField, DayField, LineField, ModelNumberField
from referral.listkit import FilterForm
from referral.money import MAX_TOTAL_CENTS

LONGEST_WORDS = 100
LONGEST_NUMBER = 40
ANY = SelectChoice("", "Any")


class FilterQuotesForm(FilterForm):
    """Which quotes a list shows, by their newest revision."""

    state = SelectField(
        "State", choices=[ANY, *(SelectChoice(*pair) for pair in QUOTE_STATE_WORDS.items())], default=""
    )
    project = LineField("Project or place", optional=True, longest=LONGEST_WORDS)
    company = LineField("Dealer or account", optional=True, longest=LONGEST_WORDS)
    model = ModelNumberField("Model number", optional=True, longest=LONGEST_WORDS)
    referral = LineField("Referral", optional=True, longest=LONGEST_NUMBER)
    since = DayField("Submitted from", optional=True)
    until = DayField("Submitted to", optional=True)
    least = CentsField("Products, at least", optional=True, maximum=MAX_TOTAL_CENTS)
    most = CentsField("Products, at most", optional=True, maximum=MAX_TOTAL_CENTS)

    @property
    def asked(self) -> QuoteFilter:
        """The filters as the query takes them."""
        return QuoteFilter(
            state=self.state.data or "",
            referral_ref=self.referral.data or "",
            project=self.project.data or "",
            company=self.company.data or "",
            model=self.model.data or "",
            since=self.since.data,
            until=self.until.data,
            least_cents=self.least.data,
            most_cents=self.most.data,
        )


class FilterOrdersForm(FilterForm):
    """Which orders a list shows."""

    state = SelectField(
        "State",
        choices=[ANY, *(SelectChoice(state.value, words) for state, words in ORDER_STATE_WORDS.items())],
        default="",
    )
    project = LineField("Project or place", optional=True, longest=LONGEST_WORDS)
    company = LineField("Dealer or account", optional=True, longest=LONGEST_WORDS)
    model = ModelNumberField("Model number", optional=True, longest=LONGEST_WORDS)
    purchase = LineField("Purchase order", optional=True, longest=LONGEST_WORDS)
    quote = LineField("Quote", optional=True, longest=LONGEST_NUMBER)
    since = DayField("Entered from", optional=True)
    until = DayField("Entered to", optional=True)
    least = CentsField("Products, at least", optional=True, maximum=MAX_TOTAL_CENTS)
    most = CentsField("Products, at most", optional=True, maximum=MAX_TOTAL_CENTS)

    @property
    def asked(self) -> OrderFilter:
        """The filters as the query takes them."""
        return OrderFilter(
            state=self.state.data or "",
            quote_ref=self.quote.data or "",
            project=self.project.data or "",
            company=self.company.data or "",
            purchase=self.purchase.data or "",
            model=self.model.data or "",
            since=self.since.data,
            until=self.until.data,
            least_cents=self.least.data,
            most_cents=self.most.data,
        )
