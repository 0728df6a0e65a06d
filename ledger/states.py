"""Kinds of ledger accounts and entries."""

from __future__ import annotations

import enum


class AccountKind(enum.StrEnum):
    """What an account of a dealer and a program year holds."""

    SALES_CREDIT = "sales_credit"
    OTHER_PURCHASES = "other_purchases"
    ISSUANCE = "issuance"
    """The other side of both: what the program has granted this dealer in this year, below zero."""


TOTAL_KINDS = (AccountKind.SALES_CREDIT, AccountKind.OTHER_PURCHASES)
"""The accounts whose balances make up the level total, always shown apart (program rules, section 7)."""


ACCOUNT_WORDS = {
    AccountKind.SALES_CREDIT: "Sales credit",
    AccountKind.OTHER_PURCHASES: "Other purchases",
    AccountKind.ISSUANCE: "Issuance",
}


class EntryKind(enum.StrEnum):
    """Why an entry was posted."""

    ORDER = "order"
    CANCELLATION = "cancellation"
    RETURN = "return"
    ADJUSTMENT = "adjustment"
    REVERSAL = "reversal"
    TRANSFER = "transfer"
    OTHER_PURCHASE = "other_purchase"
    OPENING_CREDIT = "opening_credit"


ENTRY_WORDS = {
    EntryKind.ORDER: "Order",
    EntryKind.CANCELLATION: "Cancellation",
    EntryKind.RETURN: "Return",
    EntryKind.ADJUSTMENT: "Adjustment",
    EntryKind.REVERSAL: "Reversal",
    EntryKind.TRANSFER: "Transfer",
    EntryKind.OTHER_PURCHASE: "Other purchase",
    EntryKind.OPENING_CREDIT: "Earlier credit",
}


class EvidenceKind(enum.StrEnum):
    """What a row of a dealer's evidence stands for."""

    APPROVAL = "approval"
    ORDER = "order"
    CANCELLATION = "cancellation"
    RETURN = "return"
    YEAR_CLOSE = "year_close"
    SERVICES = "services"
    """Service and labor prices that both sides agreed to apart from an approval."""
    CLAIM = "claim"
    """The coverage answer a warranty claim was decided by."""
    AGREEMENT = "agreement"
    """The terms of a support agreement, as accepted."""


class DisputeOutcome(enum.StrEnum):
    """How a dispute ended."""

    UPHELD = "upheld"
    DISMISSED = "dismissed"
    WITHDRAWN = "withdrawn"
