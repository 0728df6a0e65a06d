"""The story both journeys tell, from referral to credit, in numbers that were added up by hand."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import openpyxl

from referral.clock import now

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

from referral.models import OutgoingMail

YEAR = now().year
PASSWORD = "nine lamps in a row"
NUMBER = "0048-1234"

PRICES: tuple[tuple[Any, ...], ...] = (
    ("Model number", "Description", "Family", "Category", "Unit", "List price"),
    ("D3-LIGHT", "Downlight, 25 degrees", "D3", "Light source", "each", 412.5),
    ("D3-TRIM", "Trim, round, white", "D3", "Accessory", "each", 33.33),
    ("L3I-STRIP", "Linear, one foot", "L3I", "Light source", "ft", 99.99),
    ("PROC-1", "Processor", "Controls", "Control", "each", 1200),
    ("0007", "Remote, four buttons", "Controls", "Control", "each", "1,080.00"),
)

LINES = (
    ("D3-LIGHT", 4, "Kitchen"),
    ("D3-TRIM", 4, "Kitchen"),
    ("L3I-STRIP", 12, "Living room"),
    ("PROC-1", 1, "Equipment"),
    ("D3-LIGHT", 2, "Hall"),
)
"""The first revision; in the second the hall has three lights. Installation is 1,000.00."""

FIRST = {"products": "5,008.20", "credit": "3,808.20", "all": "6,008.20"}
SECOND = {"products": "5,420.70", "credit": "4,220.70"}
PART = {"products": "1,783.32", "credit": "1,783.32"}
"""The kitchen alone."""
REST = {"products": "3,637.38", "credit": "2,437.38"}
TAKEN_BACK = "199.98"
"""Two feet of the strip."""
CREDIT = "4,020.72"
CREDIT_NUMBER = 4020.72
BALANCES = ["1,783.32", "4,220.70", "4,020.72"]
LEVELS = (("Registered", "0"), ("Silver", "4,000"), ("Gold", "10,000"))
MISSING = "5,979.28"


def make_workbook(rows: Any = PRICES) -> bytes:
    """Return a real workbook with these rows."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def table_of(content: bytes, name: str) -> list[dict[str, Any]]:
    """Return the rows of a sheet of the year's workbook by their headings."""
    sheet = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)[name]
    rows = [list(row) for row in sheet.iter_rows(values_only=True)]
    head = next(at for at, row in enumerate(rows) if row and row[0] in {"Dealer", "Order"})
    return [dict(zip(rows[head], row, strict=False)) for row in rows[head + 1 :] if row and row[0]]


def check_year(content: bytes) -> None:
    """The year's workbook says what the pages say, to the cent."""
    (dealer,) = [row for row in table_of(content, "Summary") if row["Dealer"] == "HARBOR"]
    assert dealer["Sales credit"] == CREDIT_NUMBER
    assert dealer["Total"] == CREDIT_NUMBER
    assert dealer[f"Level for {YEAR + 1}"] == "Silver"
    assert f"{dealer['Missing to the next']:,.2f}" == MISSING
    postings = [row for row in table_of(content, "Postings") if row["Dealer"] == "HARBOR"]
    assert [f"{row['Amount']:,.2f}" for row in postings] == [PART["credit"], REST["credit"], f"-{TAKEN_BACK}"]
    assert [f"{row['Balance']:,.2f}" for row in postings] == BALANCES
    assert round(sum(row["Amount"] for row in postings) * 100) == round(CREDIT_NUMBER * 100)
    orders = [row for row in table_of(content, "Orders") if row["Dealer"] == "HARBOR"]
    assert [f"{row['Products']:,.2f}" for row in orders] == [PART["products"], REST["products"]]
    assert [f"{row['Credit earned']:,.2f}" for row in orders] == [PART["credit"], REST["credit"]]


def mails_to(tx: Session, recipient: str) -> list[str]:
    """Return the subjects of the mails to somebody, oldest first."""
    tx.expire_all()
    mails = tx.query(OutgoingMail).filter_by(recipient=recipient).order_by(OutgoingMail.id)
    return [mail.subject for mail in mails]
