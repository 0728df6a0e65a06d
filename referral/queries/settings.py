"""Settings as they hold on a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from referral.clock import business_day
from referral.models import (
    Setting,
)
from referral.rules import SETTINGS, parse_setting


def setting_on(tx: Session, key: str, day: date) -> object:
    """Return the parsed value of a setting on a business day; the shipped one where none is recorded."""
    rule = SETTINGS[key]
    if rule.per_year:
        day = date(day.year, 1, 1)
    recorded = tx.scalars(
        sa.select(Setting.value)
        .where(
            Setting.key == key,
            Setting.valid_from <= day,
            sa.or_(Setting.valid_to.is_(None), Setting.valid_to >= day),
        )
        .order_by(Setting.changed_at.desc(), Setting.id.desc())
        .limit(1)
    ).first()
    return parse_setting(key, rule.shipped if recorded is None else recorded)


def time_zone(tx: Session) -> str:
    """Return the program's time zone. Its latest recorded value counts: it is never back-dated."""
    recorded = tx.scalars(
        sa.select(Setting.value)
        .where(Setting.key == "time_zone")
        .order_by(Setting.changed_at.desc(), Setting.id.desc())
        .limit(1)
    ).first()
    return recorded or SETTINGS["time_zone"].shipped


def today(tx: Session, at: datetime) -> date:
    """Return the business day of an instant in the program's zone."""
    return business_day(at, time_zone(tx))


def whole_number_setting(tx: Session, key: str, day: date) -> int:
    """Return a setting that is a whole number (days, or a rate in ten-thousandths)."""
    return cast("int", setting_on(tx, key, day))


def creditable_categories(tx: Session, program_year: int) -> frozenset[str]:
    """Return the categories that earn sales credit in a program year."""
    return cast("frozenset[str]", setting_on(tx, "creditable_categories", date(program_year, 1, 1)))


def is_demo(tx: Session) -> bool:
    """Say whether this database holds the demo's invented data."""
    return tx.scalars(sa.select(Setting.id).where(Setting.key == "demo").limit(1)).first() is not None


@dataclass(frozen=True)
class SettingRow:
    """A setting with the value of today and everything recorded for it, newest first."""

    key: str
    words: str
    shipped: str
    per_year: bool
    value: str
    history: tuple[Setting, ...]


def settings_page(tx: Session, *, at: datetime) -> tuple[SettingRow, ...]:
    """Return every setting in the order of SETTINGS."""
    day = today(tx, at)
    history = tx.scalars(sa.select(Setting).order_by(Setting.changed_at.desc(), Setting.id.desc())).all()
    rows = []
    for rule in SETTINGS.values():
        of_key = tuple(row for row in history if row.key == rule.key)
        valid = [
            row.value
            for row in of_key
            if row.valid_from <= (date(day.year, 1, 1) if rule.per_year else day)
            and (row.valid_to is None or row.valid_to >= day)
        ]
        rows.append(
            SettingRow(
                key=rule.key,
                words=rule.words,
                shipped=rule.shipped,
                per_year=rule.per_year,
                value=valid[0] if valid else rule.shipped,
                history=of_key,
            )
        )
    return tuple(rows)
