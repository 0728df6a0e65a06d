"""Forms: exchange rates, and the currency of a dealer."""

from __future__ import annotations

from referral.formkit import CurrencyField, DayField, ExchangeRateField, HouseForm, LineField, ParagraphField


class SetExchangeRateForm(HouseForm):
    """A rate from a day on, with its reason and source."""

    currency = CurrencyField("Currency", description="Its code, such as CAD.")
    rate = ExchangeRateField("Rate")
    valid_from = DayField("First day", description="Orders entered on this day or later use it.")
    reason = ParagraphField("Reason", render_kw={"rows": 3})
    source = LineField("Source", description="Who published the rate, and when.")


class SetDealerCurrencyForm(HouseForm):
    """The currency a dealer is quoted in, and why."""

    currency = CurrencyField("Currency", description="Its code, such as CAD.")
    reason = ParagraphField("Reason", render_kw={"rows": 3})
