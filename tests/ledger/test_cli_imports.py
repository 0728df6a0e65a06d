"""`flask ledger import`: the report, the refusals, the file of refused rows; killed and taken up."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from ledger.models.accounts import LedgerEntry
from ledger.queries.imports import import_runs
from ledger.queries.verification import ledger_faults
from referral.db import db, read
from tests.applications import SETTINGS
from tests.factories import make_world
from tests.ledger.test_operations_imports import csv_of, row, rows

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def world(tx):
    return make_world(tx)


@pytest.fixture
def run(app, tx):
    """Call `flask ledger import` and return its exit code and what it said."""

    def call(*arguments):
        tx.commit()
        result = app.test_cli_runner().invoke(args=["ledger", "import", *map(str, arguments)])
        tx.expire_all()
        return result.exit_code, result.output

    return call


@pytest.fixture
def file(tmp_path):
    def make(content, name="rows.csv"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return make


OTHER = ("--kind", "other-purchases", "--reason", "Letter")


def count(tx):
    return tx.scalar(sa.select(sa.func.count()).select_from(LedgerEntry))


def test_a_file_is_posted_with_a_report(tx, world, run, file):
    code, said = run(file(csv_of(*rows(world, 3))), *OTHER)
    assert code == 0, said
    assert "3 rows: 3 good, 0 refused." in said
    assert f"{world.dealer.company_code}" in said
    assert "Posted 3 rows, 6.03. Left alone 0 posted before. Refused 0." in said
    assert count(tx) == 3
    code, said = run(file(csv_of(*rows(world, 4))), *OTHER)
    assert "Posted 1 rows, 4.01. Left alone 3 posted before. Refused 0." in said


def test_a_bad_row_posts_nothing_and_ends_with_1(tx, world, run, file, tmp_path):
    path = file(csv_of(row(world, 1), row(world, 2, dealer="NOBODY")))
    code, said = run(path, *OTHER, "--refused", tmp_path / "refused.csv")
    assert code == 1
    assert "Row 3: A3: “NOBODY” is no dealer’s code" in said
    assert "(not_found)" in said
    assert "(file_has_errors)" in said
    assert count(tx) == 0
    assert "NOBODY" in (tmp_path / "refused.csv").read_text(encoding="utf-8-sig")
    code, said = run(path, *OTHER, "--good-only")
    assert (code, count(tx)) == (0, 1)
    assert "Posted 1 rows, 100.00. Left alone 0 posted before. Refused 1." in said


def test_check_says_what_would_be_posted_and_posts_nothing(tx, world, run, file):
    path = file(csv_of(*rows(world, 3)))
    code, said = run(path, "--kind", "earlier-credit", "--check")
    assert (code, count(tx)) == (0, 0)
    assert "0 are posted already; 3 are new." in said
    assert read(import_runs) == ()


def test_the_admin_who_imports_is_the_actor(tx, world, run, file):
    code, said = run(file(csv_of(row(world))), *OTHER, "--as", world.program.email)
    assert code == 0, said
    assert tx.scalars(sa.select(LedgerEntry.actor_id)).all() == [world.program.user_id]
    code, said = run(file(csv_of(row(world, 2))), *OTHER, "--as", world.dealer.email)
    assert (code, "forbidden" in said) == (1, True)
    code, said = run(file(csv_of(row(world, 2))), *OTHER, "--as", "nobody@x.example")
    assert (code, "not_found" in said) == (1, True)
    assert count(tx) == 1


@pytest.mark.parametrize(
    "content, arguments, says",
    [
        (b"PK\x03\x04", OTHER, "damaged"),
        (b"", OTHER, "empty"),
        (b"Dealer,Day,Amount,Document\n", OTHER, "no rows"),
        (b'Dealer,Day,Amount,Document\nA,2026-01-01,1,"A', OTHER, "cannot be read"),
        (b"Dealer,Day,Amount,Document\n", ("--kind", "other-purchases", "--reason", " "), "reason_required"),
    ],
)
def test_what_cannot_be_imported_is_refused_in_a_sentence(tx, world, run, file, content, arguments, says):
    code, said = run(file(content), *arguments)
    assert (code, says in said, "Traceback" in said) == (1, True, False), said
    assert count(tx) == 0


@pytest.mark.parametrize("kind", ["sales", ""])
def test_a_kind_that_is_not_imported_is_refused(world, run, file, kind):
    assert run(file(csv_of(row(world))), "--kind", kind, "--reason", "Letter")[0] == 2


def test_an_import_that_is_killed_is_taken_up_by_the_same_command(tx, world, run, file, database):
    path = file(csv_of(*rows(world, 12_000)))
    tx.commit()
    environment = {
        **os.environ, "LEDGER_DATABASE_URL": database.uri, "LEDGER_SECRET_KEY": str(SETTINGS["SECRET_KEY"]),
        "LEDGER_TRUSTED_HOSTS": "localhost",
    }  # fmt: skip
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "ledger", "import", str(path), *OTHER]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 120
    while read(count) == 0 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    said = process.communicate()[1].decode()
    db.engine.dispose()
    half = read(count)
    assert half % 1_000 == 0, half
    assert 0 < half < 12_000, said
    code, said = run(path, *OTHER)
    assert code == 0, said
    assert f"Posted {12_000 - half:,} rows" in said
    assert f"Left alone {half:,} posted before" in said
    assert count(tx) == 12_000
    assert read(lambda tx: list(ledger_faults(tx))) == []
    (made,) = read(import_runs)
    assert (made.posted_count, made.open_count) == (12_000, 0)
