"""What programs get of the ledger: credits and balances."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any

from marshmallow import ValidationError, fields

from ledger.rules.as_of import parse_day, parse_instant
from ledger.states import TOTAL_KINDS, AccountKind, EntryKind
from referral.errors import Refusal
from referral.schemakit import Amount, AnswerSchema, Cursor, QueryNumber, QuerySchema, make_limit

FIRST_YEAR = 2000
LAST_YEAR = 2099
_KINDS = "|".join(kind.value for kind in TOTAL_KINDS)
CREDIT_CURSOR = rf"^[A-Z0-9]{{3,8}}\.[0-9]{{4}}\.({_KINDS})\.[1-9][0-9]{{0,14}}$"
"""Dealer, program year, account, sequence of the last posting of the answer before."""
DEALER_CURSOR = r"^[A-Z0-9]{3,8}$"


class QueryDay(fields.Date):
    """The day a figure is for: what is effective by its end counts."""

    def __init__(self) -> None:
        """Take a day such as 2026-05-04; none leaves it open."""
        super().__init__(load_default=None)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> date:  # noqa: ARG002 - the library's signature
        try:
            return parse_day(str(value))
        except Refusal as refusal:
            raise ValidationError(refusal.message) from refusal


class QueryInstant(fields.AwareDateTime):
    """The instant something was known at: what was posted by then counts, the instant included."""

    def __init__(self) -> None:
        """Take an instant with its offset, such as 2026-05-04T15:00:00Z; none leaves it open."""
        super().__init__(load_default=None)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:  # noqa: ARG002 - the library's signature
        text = str(value)
        try:
            if not re.search(r"(Z|[+ -]\d{2}:\d{2})$", text, re.ASCII):
                raise Refusal("invalid_input")
            return parse_instant(text, "UTC")
        except Refusal as refusal:
            raise ValidationError(
                "Send an instant with its offset, such as 2026-05-04T15:00:00Z."
            ) from refusal


class ListCreditsSchema(QuerySchema):
    """Which postings."""

    year = QueryNumber(minimum=FIRST_YEAR, maximum=LAST_YEAR)
    on = QueryDay()
    known_at = QueryInstant()
    after = Cursor(CREDIT_CURSOR)
    limit = make_limit()


class CreditAccountSchema(AnswerSchema):
    """The account a posting stands in, and its place there."""

    dealer = fields.String(attribute="dealer_code")
    year = fields.Integer(attribute="program_year")
    kind = fields.Enum(AccountKind, by_value=True, attribute="account_kind")
    sequence = fields.Integer()


class CreditSchema(AnswerSchema):
    """One posting; `order` is null where it comes from no order."""

    order = fields.String(allow_none=True)
    source = fields.String()
    kind = fields.Enum(EntryKind, by_value=True)
    amount = Amount(attribute="amount_cents")
    balance = Amount(attribute="balance_cents")
    account = fields.Nested(CreditAccountSchema)
    effective_on = fields.Date()
    posted_at = fields.AwareDateTime()
    digest = fields.String()


class CreditsSchema(AnswerSchema):
    """Postings by dealer, program year, account and sequence."""

    items = fields.List(fields.Nested(CreditSchema), attribute="rows")
    next = fields.String(attribute="after", allow_none=True)


class ListBalancesSchema(QuerySchema):
    """Which balances; today's program year by default."""

    year = QueryNumber(minimum=FIRST_YEAR, maximum=LAST_YEAR)
    on = QueryDay()
    known_at = QueryInstant()
    after = Cursor(DEALER_CURSOR)
    limit = make_limit()


class BalanceSchema(AnswerSchema):
    """A dealer's program year; `level` is for `level_year`, the year after, and null while none are set.

    Once `is_closed`, amounts and level are frozen.
    """

    dealer = fields.String(attribute="dealer_code")
    dealer_name = fields.String()
    year = fields.Integer(attribute="year.program_year")
    sales_credit = Amount(attribute="year.sales_credit_cents")
    other_purchases = Amount(attribute="year.other_purchases_cents")
    total = Amount(attribute="year.total_cents")
    level_year = fields.Integer(attribute="year.level_year")
    level = fields.String(attribute="year.standing.level.name", allow_none=True, dump_default=None)
    next_level = fields.String(attribute="year.standing.next_level.name", allow_none=True, dump_default=None)
    missing = Amount(attribute="year.standing.missing_cents")
    is_closed = fields.Boolean(attribute="year.is_closed")


class BalancesSchema(AnswerSchema):
    """Dealers by code."""

    items = fields.List(fields.Nested(BalanceSchema), attribute="rows")
    next = fields.String(attribute="after", allow_none=True)
