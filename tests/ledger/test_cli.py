from datetime import date

import openpyxl
import pytest

from ledger.models.evidence import EvidenceHead
from ledger.operations.adjustments import adjust_credit
from tests.factories import AT, make_dealer, make_program


@pytest.fixture
def program(tx):
    return make_program(tx)


@pytest.fixture
def dealer(tx, program):
    """A dealer with 5.00 of sales credit in 2026."""
    dealer = make_dealer(tx, program)
    adjust_credit(
        tx,
        actor=program,
        at=AT,
        dealer_code=dealer.company_code,
        effective_on=date(2026, 5, 4),
        amount_cents=500,
        reason="Opening",
        idempotency_key="key-1",
    )
    return dealer


@pytest.fixture
def run(app, tx):
    """Call `flask ledger …` and return its exit code and what it said."""

    def call(*arguments):
        tx.commit()
        result = app.test_cli_runner().invoke(args=["ledger", *map(str, arguments)])
        return result.exit_code, result.output

    return call


def test_verify_says_that_everything_recomputes(dealer, run):
    assert run("verify") == (0, "Everything recomputes: 2 accounts, 1 entries, 2 postings.\n")


def test_verify_names_the_fault_and_ends_with_1(tx, dealer, run):
    tx.add(EvidenceHead(dealer_id=dealer.company_id, sequence=1, digest="0" * 64))
    code, said = run("verify")
    assert code == 1
    assert "head does not equal the last row (0)" in said


def test_balance_prints_both_accounts_apart(dealer, run):
    code, said = run("balance", "--dealer", dealer.company_code.lower())
    assert code == 0
    assert said.splitlines()[1].split() == ["2026", "5.00", "0.00", "5.00", "no", "levels", "set"]
    assert "2025" in run("balance", "--dealer", dealer.company_code, "--year", 2025)[1]


def test_balance_of_nobody_is_refused(program, run):
    assert run("balance", "--dealer", "NOBODY") == (1, "Error: No dealer has the code NOBODY.\n")


def test_export_writes_the_year(dealer, run, tmp_path):
    path = tmp_path / "year.xlsx"
    code, said = run("export", "--year", 2026, "--out", path)
    assert code == 0
    assert "Postings 1" in said
    assert openpyxl.load_workbook(path)["Summary"]["E2"].value == 5
    assert [file.name for file in tmp_path.iterdir()] == ["year.xlsx"]


def test_export_that_is_refused_leaves_the_file_alone(dealer, run, tmp_path):
    path = tmp_path / "year.xlsx"
    path.write_text("kept")
    code, said = run("export", "--year", 2026, "--dealer", "NOBODY", "--out", path)
    assert (code, said) == (1, "Error: No dealer has the code NOBODY.\n")
    assert path.read_text() == "kept"
    assert [file.name for file in tmp_path.iterdir()] == ["year.xlsx"]


def test_export_into_a_folder_that_is_not_there_says_so(dealer, run, tmp_path):
    code, said = run("export", "--year", 2026, "--out", tmp_path / "no" / "year.xlsx")
    assert code == 1
    assert "No such file or directory" in said


def test_before_there_is_a_program_company_the_command_says_what_to_do(app, run):
    code, said = run("export", "--year", 2026, "--out", "x.xlsx")
    assert (code, "flask admin create" in said) == (1, True)
