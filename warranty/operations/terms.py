"""Recording warranty terms: dated, with where the program says so; nothing is overwritten."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ledger.queries.credit import program_company
from referral.db import locked
from referral.ids import new_id
from referral.models import Company
from referral.operations.records import guard_permission, guard_reason, record_event
from referral.permissions import Permission, Viewer
from warranty.models.terms import WarrantyTerm
from warranty.queries.terms import known_family, newest_term_at, standing_term
from warranty.rules.terms import TERM_SET, TermInput, guard_term, told_of_term

_MOMENT = timedelta(microseconds=1)


def set_term(tx: Session, *, actor: Viewer, at: datetime, said: TermInput) -> WarrantyTerm:
    """Units of the family ordered on the first day or later have these terms, until the next terms of it.

    They replace terms that were recorded before for the same first day. What holds already is returned, and
    nothing is recorded. Terms are recorded one after the other, each later than the one before, so that
    whoever has read them through an instant has missed none. The sources are read with them by the worker; an
    answer about what was known before stays what it was. Raises Refusal(forbidden), (reason_required),
    (invalid_input) for another family than the price lists' and for what cannot hold.
    """
    guard_permission(actor, Permission.SETTING_CHANGE)
    said = replace(said, source=said.source.strip(), reason=guard_reason(said.reason))
    guard_term(said)
    key, family = known_family(tx, said.family)
    program = program_company(tx)
    locked(tx, sa.select(Company).where(Company.id == (actor.company_id if program is None else program.id)))
    standing = standing_term(tx, key, said)
    if standing is not None:
        return standing
    newest = newest_term_at(tx)
    term = WarrantyTerm(
        id=new_id(),
        family=family,
        family_key=key,
        valid_from=said.valid_from,
        months=said.months,
        start_rule=said.start_rule,
        cap_days=said.cap_days,
        covers_parts=said.covers_parts,
        covers_labor=said.covers_labor,
        report_days=said.report_days,
        replacement_days=said.replacement_days,
        source=said.source,
        reason=said.reason,
        set_by=actor.user_id,
        set_at=at if newest is None else max(at, newest + _MOMENT),
    )
    tx.add(term)
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=actor.company_id,
        event=TERM_SET,
        subject=family,
        details=told_of_term(term),
    )
    tx.flush()
    return term
