"""Refusals: the anticipated no's of the program, each with a stable code. They know no HTTP."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

REFUSALS: Mapping[str, str] = MappingProxyType(
    {
        "account_inactive": "This company is not active on the chosen day.",
        "account_not_qualified": "The account is not Ketra qualified on this day.",
        "account_number_missing": "State the dealer's Lutron account number first.",
        "account_number_taken": "This account number already belongs to a company on these days.",
        "account_number_unknown_for_dealer": "This account number is not one of the dealer's.",
        "admin_exists": "The program has an admin already. Let them invite, or use --recovery.",
        "agreement_not_active": "This agreement does not cover that day.",
        "already_cancelled": "This quantity is cancelled already.",
        "already_reversed": "This entry is reversed already.",
        "already_shipped": "This has shipped already: it can be returned, and cancelled no more.",
        "amount_too_large": "This adds up to more than the ledger can keep.",
        "attestation_missing": "Confirm every statement before you go on.",
        "call_closed": "This call is closed. Reopen it first.",
        "call_not_paused": "This call is not paused.",
        "call_paused": "This call is paused. Resume it first.",
        "catalogue_invalid": "This file is not a service catalogue that can be loaded.",
        "claim_open": "This source has an open claim already.",
        "code_taken": "This code is taken; choose another.",
        "coverage_undetermined": "Whether this is covered is not determined yet. Record what is missing first.",
        "currency_fixed": "The dealer has quotes already: its currency stays as it is.",
        "delegation_expired": "The right to decide was lent to you until a day that is over. Ask the approver.",
        "digest_mismatch": "The content changed since you opened it. Read it again.",
        "dispute_open": "This posting has an open dispute already.",
        "dispute_window_closed": "The days in which this posting could be disputed are over.",
        "email_taken": "This e-mail address already has a user.",
        "empty_order": "Choose at least one line.",
        "empty_quote": "A quote needs at least one line before it is submitted.",
        "exceeds_approved_qty": "This is more than what is approved and not yet ordered.",
        "exchange_rate_missing": "No exchange rate of this currency holds on the order's day.",
        "exceeds_ordered_qty": "This is more than what is ordered and neither cancelled nor shipped.",
        "exceeds_returnable": "This is more than what has shipped and is not back.",
        "event_fixed": "This event cannot be corrected here: it comes from an order, or belongs to a pair.",
        "file_changed": "The file is not the one you previewed. Upload it again.",
        "file_has_errors": "The file has rows that cannot be read. Mend them and upload it again.",
        "file_too_large_or_not_a_workbook": "This file is too large, or not a workbook that can be read.",
        "forbidden": "Your role does not allow this.",
        "idempotency_key_missing": "An order needs an idempotency key.",
        "idempotency_key_reused": "This key was used before with other content.",
        "invalid_input": "Something in the form needs your attention.",
        "invitation_expired": "This invitation is used up or has expired. Ask for a new one.",
        "levels_invalid": "Levels need distinct names and rising thresholds that start at 0.",
        "levels_missing": "Set the levels that this year decides first.",
        "model_number_unknown": "This model number is not on the price list.",
        "never_paused": "A call of priority 1 is never paused.",
        "no_slot_left": "No visit is left in this contract year. Buy another day first.",
        "not_confirmed": "Confirm first that this is available at the site.",
        "not_eligible": "This offer is not sold for that.",
        "not_found": "There is nothing here that you may see.",
        "not_granted": "This agreement does not grant that.",
        "not_list_price": "Ketra products are quoted at exactly list price.",
        "not_on_revision": "This line is not on the approved revision.",
        "not_in_place": "This source is not in place any more.",
        "not_pending": "This is settled already.",
        "offer_outdated": "There is a newer version of this offer. Choose again.",
        "open_items": "Some things are still open: settle them, or say why the year is closed all the same.",
        "outside_hours": "This lies outside the service hours of the site.",
        "own_offer": "This is your own offer: it is for the other side to agree to it.",
        "price_list_missing": "No price list is valid on this day.",
        "price_list_date_taken": "A price list already starts on this day.",
        "price_recalled": "The program recalled a price that this holds. It needs a new revision.",
        "quote_expired": "This revision has expired. Ask the account for a new one.",
        "reason_required": "Give a reason.",
        "referral_closed": "This referral is closed.",
        "referral_conflict": "This project already has an open referral.",
        "reversal_of_reversal": "A reversal is not reversed. Post an adjustment instead.",
        "reverse_by_cancelling": "What an order posted is taken back by cancelling or returning its units.",
        "revision_immutable": "A submitted revision is never changed. Start the next revision.",
        "revision_not_approved": "Only an approved revision can be ordered.",
        "role_not_for_company": "This role does not fit the kind of company.",
        "same_company": "Dealer and qualified account must be different companies.",
        "same_dealer": "Choose two different dealers.",
        "serial_of_one_unit": "A serial number is of one unit: take the unit out of its group first.",
        "serial_taken": "Another source bears this serial number.",
        "services_not_agreed": "Service and labor prices are not agreed yet.",
        "setting_invalid": "This is not a value the setting can take.",
        "sign_in_failed": "E-mail and password do not match.",
        "slot_taken": "This visit has a date already.",
        "stale_agreement": "Someone else changed this agreement in the meantime. Read it again.",
        "stale_call": "Something was recorded of this call in the meantime. Read it again.",
        "stale_source": "Something was recorded of this source in the meantime. Read it again.",
        "stale_draft": "Someone else saved this draft in the meantime. Read it again.",
        "stale_offer": "There is a newer offer for the services. Read that one.",
        "stale_plan": "Someone else changed this in the meantime. Read it again.",
        "stale_revision": "There is a newer revision. Read that one.",
        "stale_visit": "Someone else changed this visit in the meantime. Read it again.",
        "term_too_long": "This offer is not sold for so long a term.",
        "terms_not_accepted": "Accept the standard terms and conditions first.",
        "too_many_tries": "Too many wrong passwords. Wait a quarter of an hour, or renew your password by mail.",
        "typed_account_mismatch": "The account number you typed is not the one on the quote.",
        "typed_name_mismatch": "Type your own name, as it stands in your profile.",
        "use_reversed": "This use was taken back already.",
        "view_name_taken": "You have a view of this name already.",
        "year_closed": "This program year is closed: nothing more is posted to it.",
        "year_not_over": "This program year is not over yet.",
    }
)
"""Every refusal code and its plain sentence; pages, the API, imports and the docs show these."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong at one place: `field` is a form field name, a cell address or ''."""

    code: str
    message: str
    field: str = ""


@dataclass(eq=False)
class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not an error
    """An anticipated no. `field` names the input that caused it; `problems` list several at once.

    `details` holds JSON-ready facts such as the expected and the given price in cents.
    """

    code: str
    message: str = ""
    field: str = ""
    details: Mapping[str, object] = dataclasses.field(default_factory=dict)
    problems: Sequence[Problem] = ()

    def __post_init__(self) -> None:
        """Fill in the code's own sentence; an unknown code is a programming mistake (KeyError)."""
        self.message = self.message or REFUSALS[self.code]
        super().__init__(f"{self.code}: {self.message}")
