"""Changing a setting: a dated row is added, nothing is overwritten."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy.orm import Session

from referral.errors import Refusal
from referral.ids import new_id
from referral.models import Setting
from referral.operations.records import guard_permission, guard_reason, record_event
from referral.permissions import Permission, Viewer
from referral.rules import SETTINGS, parse_setting


def change_setting(
    tx: Session,
    *,
    actor: Viewer,
    at: datetime,
    key: str,
    value: str,
    valid_from: date,
    valid_to: date | None,
    reason: str,
    source: str,
) -> Setting:
    """From `valid_from` (to `valid_to`, both included) the setting has this value.

    Raises Refusal(forbidden), (not_found) for an unknown key, (setting_invalid), (reason_required).
    """
    guard_permission(actor, Permission.SETTING_CHANGE)
    parse_setting(key, value)
    guard_reason(reason)
    if SETTINGS[key].per_year and (valid_from.month, valid_from.day) != (1, 1):
        raise Refusal(
            "setting_invalid", "This belongs to a program year: start it on 1 January.", "valid_from"
        )
    if valid_to is not None and valid_to < valid_from:
        raise Refusal("setting_invalid", "The last day is before the first.", "valid_to")
    row = Setting(
        id=new_id(),
        key=key,
        value=value.strip(),
        valid_from=valid_from,
        valid_to=valid_to,
        reason=reason.strip(),
        source=source.strip(),
        changed_by=actor.user_id,
        changed_at=at,
    )
    tx.add(row)
    record_event(
        tx,
        actor=actor,
        at=at,
        company_id=actor.company_id,
        event="setting.changed",
        subject=key,
        details={"value": row.value, "valid_from": valid_from.isoformat()},
    )
    return row
