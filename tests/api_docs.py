"""The parts of docs/api.md that come from the code. `python -m tests.api_docs` writes them into it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from referral.apikit import API_URL, refusal_rows
from tests.applications import make_test_app

if TYPE_CHECKING:
    from flask import Flask

PLACE = Path(__file__).parent.parent / "docs" / "api.md"


def openapi(app: Flask) -> dict:
    """The description that programs read."""
    answer = app.test_client().get(f"{API_URL}/openapi.json")
    assert answer.status_code == 200
    return answer.get_json()


def operations(described: dict) -> list[tuple[str, str, dict]]:
    """Every operation as (path, method, description)."""
    return [
        (path, method, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
        if method != "parameters"
    ]


def endpoints_table(app: Flask) -> str:
    """Every operation with its permission."""
    rows = ["| | | needs |", "|---|---|---|"]
    for path, method, operation in sorted(operations(openapi(app)), key=lambda row: (row[0], row[1])):
        address = path.removeprefix(API_URL)
        rows.append(
            f"| `{method.upper()} {address}` | {operation['summary']} | `{operation['x-permission']}` |"
        )
    return "\n".join(rows)


def refusals_table() -> str:
    """Every refusal with its status."""
    rows = ["| code | status | |", "|---|---|---|"]
    return "\n".join(
        rows + [f"| `{code}` | {status} | {sentence} |" for code, status, sentence in refusal_rows()]
    )


def rendered(app: Flask) -> str:
    """The page as it must be."""
    text = PLACE.read_text(encoding="utf-8")
    for name, table in (("endpoints", endpoints_table(app)), ("refusals", refusals_table())):
        text = re.sub(
            rf"(<!-- {name} -->\n).*?(<!-- end -->)", lambda found, table=table: f"{found[1]}{table}\n{found[2]}",
            text, count=1, flags=re.DOTALL,
        )  # fmt: skip
    return text


if __name__ == "__main__":
    PLACE.write_text(rendered(make_test_app("sqlite://")), encoding="utf-8")
