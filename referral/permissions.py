"""Who may knock at which door: roles, permissions, the one grid, and the viewer they make."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from uuid import UUID


class CompanyKind(enum.StrEnum):
    """What a company is to the program; one company can be a dealer and an account."""

    DEALER = "dealer"
    ACCOUNT = "account"
    PROGRAM = "program"


class Role(enum.StrEnum):
    """What a user does for the company (program rules, section 1)."""

    DEALER_VIEWER = "dealer_viewer"
    DEALER_APPROVER = "dealer_approver"
    DEALER_ADMIN = "dealer_admin"
    ACCOUNT_VIEWER = "account_viewer"
    ACCOUNT_BUILDER = "account_builder"
    ACCOUNT_INSTALLER = "account_installer"
    ACCOUNT_ADMIN = "account_admin"
    PROGRAM_ADMIN = "program_admin"
    PROGRAM_AUDITOR = "program_auditor"

    @property
    def company_kind(self) -> CompanyKind:
        """The kind of company this role belongs to."""
        return CompanyKind(self.value.partition("_")[0])


ROLE_WORDS: Mapping[Role, str] = MappingProxyType(
    {
        Role.DEALER_VIEWER: "dealer viewer",
        Role.DEALER_APPROVER: "dealer approver",
        Role.DEALER_ADMIN: "dealer company admin",
        Role.ACCOUNT_VIEWER: "account viewer",
        Role.ACCOUNT_BUILDER: "account builder",
        Role.ACCOUNT_INSTALLER: "account installer",
        Role.ACCOUNT_ADMIN: "account company admin",
        Role.PROGRAM_ADMIN: "program admin",
        Role.PROGRAM_AUDITOR: "program auditor",
    }
)


class Permission(enum.StrEnum):
    """What an endpoint asks for, as thing:action."""

    PUBLIC = "page:public"
    SIGNED_IN = "page:signed_in"
    REFERRAL_VIEW = "referral:view"
    REFERRAL_OPEN = "referral:open"
    REFERRAL_ANSWER = "referral:answer"
    REFERRAL_CHOOSE = "referral:choose"
    REFERRAL_ASSIGN = "referral:assign"
    PROFILE_EDIT = "profile:edit"
    PROJECT_PLAN = "project:plan"
    PRICE_LIST_VIEW = "price_list:view"
    PRICE_LIST_PUBLISH = "price_list:publish"
    QUOTE_VIEW = "quote:view"
    QUOTE_BUILD = "quote:build"
    QUOTE_DECIDE = "quote:decide"
    QUOTE_REMARK = "quote:remark"
    SERVICES_AGREE = "services:agree"
    DECISION_LEND = "decision:lend"
    ORDER_VIEW = "order:view"
    ORDER_ENTER = "order:enter"
    SOURCE_VIEW = "source:view"
    SOURCE_RECORD = "source:record"
    CLAIM_OPEN = "claim:open"
    CLAIM_DECIDE = "claim:decide"
    SUPPORT_VIEW = "support:view"
    AGREEMENT_BUILD = "agreement:build"
    AGREEMENT_OFFER = "agreement:offer"
    AGREEMENT_ACCEPT = "agreement:accept"
    AGREEMENT_END = "agreement:end"
    VISIT_PLAN = "visit:plan"
    CALL_OPEN = "call:open"
    CALL_WORK = "call:work"
    CREDIT_VIEW = "credit:view"
    CREDIT_EXPORT = "credit:export"
    CREDIT_RECORD = "credit:record"
    YEAR_CLOSE = "year:close"
    DISPUTE_OPEN = "dispute:open"
    DISPUTE_ANSWER = "dispute:answer"
    COMPANY_VIEW = "company:view"
    COMPANY_MANAGE = "company:manage"
    USER_MANAGE = "user:manage"
    SETTING_VIEW = "setting:view"
    SETTING_CHANGE = "setting:change"
    AUDIT_VIEW = "audit:view"


_P = Permission
_BOTH = frozenset(
    {
        _P.REFERRAL_VIEW,
        _P.PRICE_LIST_VIEW,
        _P.QUOTE_VIEW,
        _P.ORDER_VIEW,
        _P.SOURCE_VIEW,
        _P.SUPPORT_VIEW,
    }
)
_SERVICE = frozenset({_P.AGREEMENT_BUILD, _P.VISIT_PLAN, _P.CALL_OPEN})
"""What everybody does who takes care of a site: the dealer, the account and the program."""
_DEALER = _BOTH | {_P.CREDIT_VIEW}
_ACCOUNT = _BOTH
LENT = frozenset({_P.QUOTE_DECIDE, _P.QUOTE_REMARK, _P.SERVICES_AGREE})
"""What an approver has to decide with, and lends to a delegate."""
_PROGRAM = _DEALER | {_P.CREDIT_EXPORT, _P.COMPANY_VIEW, _P.SETTING_VIEW, _P.AUDIT_VIEW}

GRID: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.DEALER_VIEWER: _DEALER,
        Role.DEALER_APPROVER: _DEALER
        | LENT
        | _SERVICE
        | {
            _P.AGREEMENT_ACCEPT,
            _P.AGREEMENT_END,
            _P.REFERRAL_OPEN,
            _P.REFERRAL_CHOOSE,
            _P.DISPUTE_OPEN,
            _P.DECISION_LEND,
            _P.PROJECT_PLAN,
            _P.CLAIM_OPEN,
        },
        Role.DEALER_ADMIN: _DEALER
        | _SERVICE
        | {
            _P.AGREEMENT_ACCEPT,
            _P.AGREEMENT_END,
            _P.REFERRAL_OPEN,
            _P.REFERRAL_CHOOSE,
            _P.USER_MANAGE,
            _P.DISPUTE_OPEN,
            _P.DECISION_LEND,
            _P.QUOTE_REMARK,
            _P.PROJECT_PLAN,
            _P.CLAIM_OPEN,
        },
        Role.ACCOUNT_VIEWER: _ACCOUNT,
        Role.ACCOUNT_BUILDER: _ACCOUNT
        | _SERVICE
        | {
            _P.CALL_WORK,
            _P.REFERRAL_ANSWER,
            _P.QUOTE_BUILD,
            _P.QUOTE_REMARK,
            _P.SERVICES_AGREE,
            _P.ORDER_ENTER,
            _P.PROJECT_PLAN,
            _P.SOURCE_RECORD,
            _P.CLAIM_OPEN,
            _P.CLAIM_DECIDE,
        },
        Role.ACCOUNT_INSTALLER: _ACCOUNT
        | {
            _P.PROJECT_PLAN,
            _P.SOURCE_RECORD,
            _P.CLAIM_OPEN,
            _P.VISIT_PLAN,
            _P.CALL_OPEN,
            _P.CALL_WORK,
        },
        Role.ACCOUNT_ADMIN: _ACCOUNT | {_P.REFERRAL_ANSWER, _P.USER_MANAGE, _P.PROFILE_EDIT},
        Role.PROGRAM_ADMIN: _PROGRAM
        | _SERVICE
        | {
            _P.AGREEMENT_OFFER,
            _P.AGREEMENT_END,
            _P.CALL_WORK,
            _P.REFERRAL_CHOOSE,
            _P.REFERRAL_ASSIGN,
            _P.PRICE_LIST_PUBLISH,
            _P.CREDIT_RECORD,
            _P.YEAR_CLOSE,
            _P.DISPUTE_ANSWER,
            _P.COMPANY_MANAGE,
            _P.USER_MANAGE,
            _P.SETTING_CHANGE,
        },
        Role.PROGRAM_AUDITOR: _PROGRAM,
    }
)
"""Which role may do what; PUBLIC and SIGNED_IN need no row. Docs and screens render this."""


@dataclass(frozen=True)
class Lending:
    """The right to decide that an approver lent to this person; `is_over` after its last day or its end."""

    approver_id: UUID
    approver_name: str
    last_on: date
    is_over: bool


@dataclass(frozen=True)
class Viewer:
    """The person (or program) that asks: the `viewer` of queries, the `actor` of operations."""

    user_id: UUID
    name: str
    email: str
    company_id: UUID
    company_code: str
    company_name: str
    roles: frozenset[Role]
    lending: Lending | None = None
    """What is lent to this person today, else what was lent last; None where nothing ever was."""

    @property
    def permissions(self) -> frozenset[Permission]:
        """Everything the roles allow together, and what is lent."""
        lent = LENT if self.lending is not None and not self.lending.is_over else frozenset()
        return frozenset().union(*(GRID[role] for role in self.roles)) | lent | {_P.PUBLIC, _P.SIGNED_IN}

    def may(self, permission: Permission) -> bool:
        """Say whether one of the roles has this permission, or a lending."""
        return permission in self.permissions

    def why_not(self, permission: Permission) -> str:
        """Return the refusal code for a permission that is missing: it may have been lent until lately."""
        return "delegation_expired" if self.lending is not None and permission in LENT else "forbidden"

    @property
    def decides_for(self) -> Lending | None:
        """The lending by which this person decides, where the own roles do not allow it."""
        own = frozenset().union(*(GRID[role] for role in self.roles))
        return None if self.lending is None or self.lending.is_over or own >= LENT else self.lending

    def acts_as(self, kind: CompanyKind) -> bool:
        """Say whether one of the roles belongs to this kind of company."""
        return any(role.company_kind is kind for role in self.roles)

    @property
    def role_words(self) -> str:
        """The roles in words, for the page's head."""
        return ", ".join(ROLE_WORDS[role] for role in sorted(self.roles))
