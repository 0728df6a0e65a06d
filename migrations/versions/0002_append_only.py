"""What is posted, approved or published is never changed: the database refuses it.

Revision 0002, after 0001.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

APPEND_ONLY = (
    "audit_event",
    "setting",
    "level_set",
    "level",
    "ledger_entry",
    "ledger_posting",
    "price_list",
    "price_item",
    "line_remark",
    "approval",
    "order_line",
    "cancellation",
    "cancellation_line",
)
KEPT = ("order", "revision", "ledger_account", "quote", "referral")
"""Tables whose rows are never removed once they count, though a state or head moves."""

ORDER_FIXED = (
    "number account_id quote_id revision_number idempotency_key request_digest purchase_order account_number "
    "currency program_year credit_rate products_cents credit_cents entry_id digest entered_by entered_at entered_on"
).split()
REVISION_FIXED = (
    "account_number note draft_version created_by created_at price_list_id currency submitted_by submitted_at "
    "submitted_on expires_on products_digest services_digest digest"
).split()
ACCOUNT_FIXED = ["currency", "opened_at"]


def _differs(columns: list[str], distinct: str) -> str:
    return " OR ".join(f'NEW."{column}" {distinct} OLD."{column}"' for column in columns)


def _rules(distinct: str) -> list[tuple[str, str, str, str]]:
    """Return (trigger name, table, event, condition) of every guard but the plain append-only ones."""
    draft_of_line = (
        "(SELECT state FROM revision WHERE dealer_id = {row}.dealer_id AND quote_id = {row}.quote_id "
        "AND number = {row}.revision_number) <> 'draft'"
    )
    rules = [
        ("order_fixed", "order", "UPDATE", _differs([*_KEY_ORDER, *ORDER_FIXED], distinct)),
        (
            "revision_fixed",
            "revision",
            "UPDATE",
            f"OLD.state <> 'draft' AND (NEW.state = 'draft' OR {_differs([*_KEY_REVISION, *REVISION_FIXED], distinct)}"
            " OR (NEW.services_state <> OLD.services_state"
            " AND NOT (OLD.services_state = 'proposed' AND NEW.services_state = 'agreed')))",
        ),
        (
            "ledger_account_head",
            "ledger_account",
            "UPDATE",
            f"{_differs([*_KEY_ACCOUNT, *ACCOUNT_FIXED], distinct)} OR NEW.sequence <> OLD.sequence + 1",
        ),
    ]
    for table in ("revision_line", "revision_service"):
        rules += [
            (f"{table}_insert", table, "INSERT", draft_of_line.format(row="NEW")),
            (
                f"{table}_update",
                table,
                "UPDATE",
                f"{draft_of_line.format(row='OLD')} OR {draft_of_line.format(row='NEW')}",
            ),
            (f"{table}_delete", table, "DELETE", draft_of_line.format(row="OLD")),
        ]
    return rules


_KEY_ORDER = ["dealer_id", "id"]
_KEY_REVISION = ["dealer_id", "quote_id", "number"]
_KEY_ACCOUNT = ["dealer_id", "program_year", "kind"]


def upgrade() -> None:
    """Create the triggers of this database."""
    if op.get_bind().dialect.name == "sqlite":
        _upgrade_sqlite()
    else:
        _upgrade_postgresql()


def _upgrade_sqlite() -> None:
    for table in APPEND_ONLY:
        for event in ("UPDATE", "DELETE"):
            op.execute(
                f'CREATE TRIGGER {table}_no_{event.lower()} BEFORE {event} ON "{table}" '
                f"BEGIN SELECT RAISE(ABORT, 'append_only: {table}'); END"
            )
    for table in KEPT:
        op.execute(
            f'CREATE TRIGGER {table}_no_delete BEFORE DELETE ON "{table}" '
            f"BEGIN SELECT RAISE(ABORT, 'append_only: {table}'); END"
        )
    for name, table, event, condition in _rules("IS NOT"):
        op.execute(
            f'CREATE TRIGGER {name} BEFORE {event} ON "{table}" WHEN {condition} '
            f"BEGIN SELECT RAISE(ABORT, 'immutable: {table}'); END"
        )


def _upgrade_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION 'append_only: %', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; END $$"
    )
    for table in APPEND_ONLY:
        _postgresql_trigger(f"{table}_no_change", table, "BEFORE UPDATE OR DELETE", "ROW")
    for table in KEPT:
        _postgresql_trigger(f"{table}_no_delete", table, "BEFORE DELETE", "ROW")
    for table in (*APPEND_ONLY, *KEPT, "revision_line", "revision_service"):
        _postgresql_trigger(f"{table}_no_truncate", table, "BEFORE TRUNCATE", "STATEMENT")
    for name, table, event, condition in _rules("IS DISTINCT FROM"):
        op.execute(
            f"CREATE FUNCTION guard_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ "
            f"BEGIN IF {condition} THEN RAISE EXCEPTION 'immutable: {table}' "
            f"USING ERRCODE = 'restrict_violation'; END IF; "
            f"RETURN {'OLD' if event == 'DELETE' else 'NEW'}; END $$"
        )
        op.execute(
            f'CREATE TRIGGER {name} BEFORE {event} ON "{table}" FOR EACH ROW EXECUTE FUNCTION guard_{name}()'
        )
        op.execute(f'ALTER TABLE "{table}" ENABLE ALWAYS TRIGGER {name}')


def _postgresql_trigger(name: str, table: str, event: str, each: str) -> None:
    op.execute(f'CREATE TRIGGER {name} {event} ON "{table}" FOR EACH {each} EXECUTE FUNCTION refuse_change()')
    op.execute(f'ALTER TABLE "{table}" ENABLE ALWAYS TRIGGER {name}')


def downgrade() -> None:
    """Drop them again."""
    names = [(name, table) for name, table, _, _ in _rules("IS NOT")]
    if op.get_bind().dialect.name == "sqlite":
        names += [(f"{table}_no_{event}", table) for table in APPEND_ONLY for event in ("update", "delete")]
        names += [(f"{table}_no_delete", table) for table in KEPT]
        for name, _ in names:
            op.execute(f"DROP TRIGGER {name}")
        return
    guards = [name for name, _ in names]
    names += [(f"{table}_no_change", table) for table in APPEND_ONLY]
    names += [(f"{table}_no_delete", table) for table in KEPT]
    names += [
        (f"{table}_no_truncate", table)
        for table in (*APPEND_ONLY, *KEPT, "revision_line", "revision_service")
    ]
    for name, table in names:
        op.execute(f'DROP TRIGGER {name} ON "{table}"')
    for name in guards:
        op.execute(f"DROP FUNCTION guard_{name}()")
    op.execute("DROP FUNCTION refuse_change()")
