"""What programs send and get of quotes and revisions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields, post_load, validate, validates_schema

from quotes.operations.quotes import LineInput, ServiceInput
from quotes.rules.content import MAX_LINES
from quotes.rules.diff import Change
from quotes.states import Category, RevisionState, ServiceKind, ServicesState
from referral.money import MAX_QUANTITY
from referral.schemakit import (
    ID_CURSOR,
    Amount,
    AnswerSchema,
    Choice,
    Cursor,
    ExchangeRate,
    HouseSchema,
    Id,
    Line,
    ModelNumber,
    Paragraph,
    Price,
    QueryNumber,
    QuerySchema,
    Tick,
    WholeNumber,
    make_limit,
)

SERVICES_MAX = 200
MODEL_NUMBER_LENGTH = 60
NUMBER_LENGTH = 40
ROOM_LENGTH = 80
NOTE_LENGTH = 2_000
SOURCE_LENGTH = 60
DRAFT_VERSION_MAX = 1_000_000_000
REVISION_MAX = 999_999
OFFER_MAX = 999_999
SHOWN_STATES = (*(state.value for state in RevisionState), "expired")
"""As shown: a waiting or approved revision past its last day is expired."""
LISTED_STATES = (*SHOWN_STATES, "ordered")
"""As lists of quotes show it: an approved revision of which everything is ordered is ordered."""

# lists ------------------------------------------------------------------------------------------


class ListQuotesSchema(QuerySchema):
    """Which quotes, by the state of their newest revision; an expired one is still submitted or approved."""

    state = Choice(RevisionState, optional=True)
    after = Cursor(ID_CURSOR)
    limit = make_limit()

    @post_load
    def name_states(self, said: dict[str, Any], **_kwargs: object) -> dict[str, Any]:
        """Return the states as the query takes them."""
        state = said.pop("state")
        return {**said, "states": () if state is None else (state,)}


class QuoteRowSchema(AnswerSchema):
    """A quote by the newest revision you may see."""

    id = fields.String(attribute="ref")
    revision = fields.Integer()
    state = fields.String(validate=validate.OneOf(LISTED_STATES))
    project_name = fields.String()
    place = fields.String()
    dealer_name = fields.String()
    account_name = fields.String()
    products = Amount(attribute="products_cents")
    creditable = Amount(attribute="creditable_cents")
    submitted_at = fields.AwareDateTime(allow_none=True)
    expires_on = fields.Date(allow_none=True)


class QuotesSchema(AnswerSchema):
    """Quotes, newest first."""

    items = fields.List(fields.Nested(QuoteRowSchema), attribute="rows")
    next = fields.String(attribute="after", allow_none=True)


# one quote --------------------------------------------------------------------------------------


class RevisionRowSchema(AnswerSchema):
    """A revision of a quote."""

    revision = fields.Integer(attribute="number")
    state = fields.String(validate=validate.OneOf(SHOWN_STATES))
    submitted_at = fields.AwareDateTime(allow_none=True)
    decided_at = fields.AwareDateTime(allow_none=True)


class QuoteSchema(AnswerSchema):
    """A quote and the revisions you may see; `revision` is the newest of them."""

    id = fields.String(attribute="ref")
    referral = fields.String(attribute="referral_ref")
    project_name = fields.String()
    place = fields.String()
    spaces = fields.String()
    dealer = fields.String(attribute="dealer_code")
    dealer_name = fields.String()
    account_name = fields.String()
    revision = fields.Integer(attribute="revision.number")
    state = fields.String(validate=validate.OneOf(SHOWN_STATES))
    revisions = fields.List(fields.Nested(RevisionRowSchema))


class QuotedLineSchema(AnswerSchema):
    """A product line; `line_id` stays the same from revision to revision, `recalled` says why its price is."""

    line_id = fields.UUID(attribute="line.line_id")
    model_number = fields.String(attribute="line.model_number")
    description = fields.String(attribute="line.description")
    family = fields.String(attribute="line.family")
    category = fields.Enum(Category, by_value=True, attribute="line.category")
    unit = fields.String(attribute="line.unit")
    room = fields.String(attribute="line.room")
    quantity = fields.Integer(attribute="line.quantity")
    list_price = Amount(attribute="line.list_price_cents")
    amount = Amount(attribute="line.amount_cents")
    is_creditable = fields.Boolean()
    ordered = fields.Integer(attribute="ordered_quantity")
    remaining = fields.Integer(attribute="remaining_quantity")
    remarks = fields.List(fields.String())
    recalled = fields.String()


class QuotedServiceSchema(AnswerSchema):
    """A service or labor line, priced apart."""

    kind = fields.Enum(ServiceKind, by_value=True)
    description = fields.String()
    amount = Amount(attribute="amount_cents")


class TotalsSchema(AnswerSchema):
    """The sums of a revision; `all` is products and services."""

    products = Amount(attribute="products_cents")
    creditable = Amount(attribute="creditable_cents")
    not_creditable = Amount(attribute="not_creditable_cents")
    services = Amount(attribute="services_cents")
    all = Amount(attribute="all_cents")


class ApprovalSchema(AnswerSchema):
    """Who approved which content, in which words."""

    digest = fields.String()
    attestation_version = fields.String()
    account_number = fields.String(attribute="typed_account_number")
    name = fields.String(attribute="typed_name")
    approved_at = fields.AwareDateTime()


class ShowRevisionSchema(QuerySchema):
    """The earlier revision to compare with, by default the last one submitted before."""

    against = QueryNumber(minimum=1, maximum=REVISION_MAX)


class LineStateSchema(AnswerSchema):
    """What a line says in one revision."""

    model_number = fields.String()
    description = fields.String()
    room = fields.String()
    quantity = fields.Integer()
    list_price = Amount(attribute="list_price_cents")


class LineChangeSchema(AnswerSchema):
    """A line that is added, removed, changed or moved to another room; `changed` says what differs."""

    line_id = fields.UUID()
    change = fields.Enum(Change, by_value=True)
    changed = fields.List(fields.String(), attribute="fields")
    before = fields.Nested(LineStateSchema, allow_none=True)
    after = fields.Nested(LineStateSchema, allow_none=True)


class OrderedBeyondSchema(AnswerSchema):
    """A line of which more is ordered than the revision says; `quantity` 0 is a line it no longer has."""

    line_id = fields.UUID(attribute="line.line_id")
    model_number = fields.String(attribute="line.model_number")
    ordered = fields.Integer()
    quantity = fields.Integer()


class HintSchema(AnswerSchema):
    """What the catalogue says goes with a model number and the revision lacks; `reason` is why, where said.

    `wanted` is how many its `units` need, `missing` how many of these are not there.
    """

    model_number = fields.String(attribute="hint.model_number")
    need = fields.String(attribute="hint.need")
    units = fields.Integer(attribute="hint.units")
    wanted = fields.Integer(attribute="hint.wanted")
    missing = fields.Integer(attribute="hint.missing")
    model_numbers = fields.List(fields.String(), attribute="hint.model_numbers")
    reason = fields.Function(
        lambda row: row.ignored.reason if row.ignored else None,
        metadata={"type": ["string", "null"]},
    )


class RevisionSchema(AnswerSchema):
    """One revision with everything it says; `credit` is null unless it is your own dealer's, or you the program.

    It is in `credit_currency`, at the `exchange_rate` of today; where no rate holds both are null. `changes` are
    the lines that differ from the revision `against`, null for the first.
    """

    id = fields.String(attribute="ref")
    revision = fields.Integer(attribute="revision.number")
    state = fields.String(validate=validate.OneOf(SHOWN_STATES))
    services_state = fields.Enum(ServicesState, by_value=True, attribute="revision.services_state")
    draft_version = fields.Integer(attribute="revision.draft_version")
    digest = fields.String(attribute="revision.digest", allow_none=True)
    account_number = fields.String(attribute="revision.account_number")
    note = fields.String(attribute="revision.note")
    price_list = fields.Integer(attribute="price_list.version", allow_none=True, dump_default=None)
    currency = fields.String(attribute="exchange.currency")
    credit_currency = fields.String(attribute="exchange.into")
    exchange_rate = ExchangeRate(attribute="exchange.rate")
    submitted_at = fields.AwareDateTime(attribute="revision.submitted_at", allow_none=True)
    submitted_by = fields.String()
    expires_on = fields.Date(attribute="revision.expires_on", allow_none=True)
    decided_at = fields.AwareDateTime(attribute="revision.decided_at", allow_none=True)
    decided_by = fields.String()
    decision_reason = fields.String(attribute="revision.decision_reason")
    program_year = fields.Integer()
    credit = Amount(attribute="credit_cents", allow_none=True)
    totals = fields.Nested(TotalsSchema)
    lines = fields.List(fields.Nested(QuotedLineSchema))
    services = fields.List(fields.Nested(QuotedServiceSchema))
    approval = fields.Nested(ApprovalSchema, allow_none=True)
    approved_on_behalf_of = fields.String(attribute="on_behalf_of")
    hints = fields.List(fields.Nested(HintSchema))
    is_orderable = fields.Boolean()
    against = fields.Integer(attribute="compared_with", allow_none=True)
    changes = fields.List(fields.Nested(LineChangeSchema))
    ordered_beyond = fields.List(fields.Nested(OrderedBeyondSchema))


class RevisionHeadSchema(AnswerSchema):
    """Where a revision stands after a write; `digest` is null while it is a draft."""

    id = fields.String()
    revision = fields.Integer(attribute="revision.number")
    state = fields.Enum(RevisionState, by_value=True, attribute="revision.state")
    draft_version = fields.Integer(attribute="revision.draft_version")
    digest = fields.String(attribute="revision.digest", allow_none=True)
    expires_on = fields.Date(attribute="revision.expires_on", allow_none=True)


class StartedQuoteSchema(AnswerSchema):
    """The new quote; its first draft is revision 1."""

    id = fields.String()
    revision = fields.Integer()


# building ---------------------------------------------------------------------------------------


class StartQuoteSchema(HouseSchema):
    """Nothing needs to be said."""

    is_body_optional = True


class StartRevisionSchema(HouseSchema):
    """Nothing needs to be said."""

    is_body_optional = True


class LineSchema(HouseSchema):
    """A product line; a `list_price` that is given must equal the list's. `line_id` carries a line on."""

    line_id = Id(optional=True)
    model_number = ModelNumber(longest=MODEL_NUMBER_LENGTH)
    quantity = WholeNumber(minimum=1, maximum=MAX_QUANTITY)
    room = Line(optional=True, longest=ROOM_LENGTH)
    list_price_cents = Price(optional=True, data_key="list_price")

    @post_load
    def make(self, said: dict[str, Any], **_kwargs: object) -> LineInput:
        """Return the line."""
        return LineInput(**said)


class ServiceSchema(HouseSchema):
    """A service or labor line."""

    kind = Choice(ServiceKind)
    description = Line(optional=True)
    amount_cents = Price(data_key="amount")

    @post_load
    def make(self, said: dict[str, Any], **_kwargs: object) -> ServiceInput:
        """Return the line."""
        return ServiceInput(**said)


class SaveDraftSchema(HouseSchema):
    """The whole content of a draft; `draft_version` is the one you read, and is not checked where missing."""

    draft_version = WholeNumber(minimum=1, maximum=DRAFT_VERSION_MAX, optional=True)
    account_number = Line(optional=True, longest=NUMBER_LENGTH)
    note = Paragraph(optional=True, longest=NOTE_LENGTH)
    lines = fields.List(fields.Nested(LineSchema), required=True, validate=validate.Length(max=MAX_LINES))
    services = fields.List(
        fields.Nested(ServiceSchema), load_default=tuple, validate=validate.Length(max=SERVICES_MAX)
    )
    has_no_services = Tick(optional=True)


class CopyLinesSchema(HouseSchema):
    """Which quote of yours to copy from; `good_only` leaves out what today's list has no more.

    `source_revision` is the newest where missing, `draft_version` is not checked where missing.
    """

    source_ref = Line(data_key="source", longest=SOURCE_LENGTH)
    source_revision = WholeNumber(minimum=1, maximum=999_999, optional=True)
    draft_version = WholeNumber(minimum=1, maximum=DRAFT_VERSION_MAX, optional=True)
    replaces = Tick(optional=True)
    good_only = Tick(optional=True)


class CopiedSchema(AnswerSchema):
    """The draft after a copy: how many lines are new, which model numbers were left out."""

    id = fields.String()
    revision = fields.Integer(attribute="revision.number")
    draft_version = fields.Integer(attribute="revision.draft_version")
    copied = fields.Integer()
    left_out = fields.List(fields.String())


class SubmitRevisionSchema(HouseSchema):
    """The version of the draft you read; not checked where missing."""

    is_body_optional = True

    draft_version = WholeNumber(minimum=1, maximum=DRAFT_VERSION_MAX, optional=True)


# deciding ---------------------------------------------------------------------------------------


class AttestationsSchema(HouseSchema):
    """The dealer's four statements; each must be true."""

    attested_suitable = Tick(optional=True, data_key="suitable")
    attested_reviewed = Tick(optional=True, data_key="reviewed")
    attested_complete = Tick(optional=True, data_key="complete")
    attested_account_number = Tick(optional=True, data_key="account_number")

    @post_load
    def name_them(self, said: dict[str, bool], **_kwargs: object) -> frozenset[str]:
        """Return the names of those that are true."""
        return frozenset(name for name, is_true in said.items() if is_true)


def _digest() -> fields.String:
    return fields.String(required=True, validate=validate.Length(max=64))


class ApproveRevisionSchema(HouseSchema):
    """The digest you read, the four statements, the dealer's account number and your name, typed.

    `services_offer` is the newest offer for the services you read; without it the first, which the digest covers.
    """

    digest = _digest()
    offer_number = WholeNumber(minimum=1, maximum=OFFER_MAX, optional=True, data_key="services_offer")
    attested = fields.Nested(AttestationsSchema, data_key="attestations", load_default=frozenset)
    typed_account_number = Line(data_key="account_number", longest=NUMBER_LENGTH)
    typed_name = Line(data_key="name")


class ApprovedRevisionSchema(AnswerSchema):
    """The approval; approving twice is one approval."""

    id = fields.String()
    revision = fields.Integer(attribute="approval.revision_number")
    state = fields.Enum(RevisionState, by_value=True)
    approval = fields.Nested(ApprovalSchema)


class RemarkSchema(HouseSchema):
    """What should change at one line."""

    line_id = Id()
    text = Paragraph()


class RequestChangesSchema(HouseSchema):
    """The digest you read, and what should change: a reason, remarks at lines, or both."""

    digest = _digest()
    reason = Paragraph(optional=True)
    remarks = fields.List(
        fields.Nested(RemarkSchema), load_default=tuple, validate=validate.Length(max=MAX_LINES)
    )

    @validates_schema
    def each_once(self, said: dict[str, Any], **_kwargs: object) -> None:
        """Refuse a second remark at one line."""
        guard_lines_once(said["remarks"], "remarks")

    @post_load
    def by_line(self, said: dict[str, Any], **_kwargs: object) -> dict[str, Any]:
        """Return the remarks by line."""
        return {**said, "remarks": {row["line_id"]: row["text"] for row in said["remarks"]}}


class DeclineRevisionSchema(HouseSchema):
    """The digest you read, and why the dealer does not want it."""

    digest = _digest()
    reason = Paragraph(optional=True)


def guard_lines_once(rows: list[Mapping[str, Any]], name: str) -> None:
    """Guard: each line is named once. Raises ValidationError at the second place."""
    seen = set()
    for index, row in enumerate(rows):
        if row["line_id"] in seen:
            raise ValidationError({name: {index: {"line_id": ["This line stands twice."]}}})
        seen.add(row["line_id"])
