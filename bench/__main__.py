"""Measure everything, or the themes named: `python -m bench [posting sqlite imports reads verify export workbench bills warranty support] [--quick]`."""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from bench import bills, export, imports, posting, reads, sqlite, support, verify, warranty, workbench
from bench.common import Plan, Row, Server, private_server

RESULTS = Path(__file__).parent / "results" / "results.json"
QUICK = Plan(seconds=1.0, turns=3, postings=200_000)
THEMES = (
    "posting",
    "sqlite",
    "imports",
    "reads",
    "verify",
    "export",
    "workbench",
    "bills",
    "warranty",
    "support",
)


def main() -> None:
    """Run the themes, print the table, write the JSON."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("themes", nargs="*", metavar="theme", help=f"of {', '.join(THEMES)}; default: all")
    parser.add_argument(
        "--quick", action="store_true", help="short turns: to see that it runs, not for figures"
    )
    parser.add_argument("--turns", type=int, help="turns of each contender")
    said = parser.parse_args()
    plan = QUICK if said.quick else Plan()
    if said.turns:
        plan = Plan(plan.seconds, said.turns, plan.postings)
    themes = said.themes or list(THEMES)
    if unknown := {*themes} - {*THEMES}:
        parser.error(f"no such theme: {', '.join(sorted(unknown))}")
    rows: list[Row] = []
    with ExitStack() as stack:
        server = stack.enter_context(private_server()) if {*themes} - {"sqlite", "export", "bills"} else None
        for name, run in _runs(server, plan).items():
            if name in themes:
                print(f"\n{name}", flush=True)  # noqa: T201 - a command prints
                measured = run()
                rows += measured
                for row in measured:
                    print(line(row), flush=True)  # noqa: T201 - a command prints
    save(rows)
    missed = [row.name for row in rows if row.is_met is False]
    print(f"\n{len(rows)} rows, {len(missed)} missed; written to {RESULTS}")  # noqa: T201 - a command prints


def _runs(server: Server | None, plan: Plan) -> dict[str, Callable[[], list[Row]]]:
    """Return how each theme is run; `reads` and `verify` share the large ledger, made by whichever comes first."""
    made: list[bool] = []

    def on(run: Callable[[Server, Plan], list[Row]], *, needs_large: bool = False) -> Callable[[], list[Row]]:
        def call() -> list[Row]:
            if server is None:
                raise RuntimeError("this theme needs the server")
            if needs_large and not made:
                reads.make_large(server, plan)
                made.append(True)
            return run(server, plan)

        return call

    return {
        "posting": on(posting.run),
        "sqlite": lambda: sqlite.run(plan),
        "imports": on(imports.run),
        "reads": on(reads.run, needs_large=True),
        "verify": on(verify.run, needs_large=True),
        "export": export.run,
        "workbench": on(workbench.run),
        "bills": lambda: bills.run(plan),
        "warranty": on(warranty.run),
        "support": on(support.run),
    }


def line(row: Row) -> str:
    """Return a row as one line: what, ours, peer, ratio, limit, met or missed."""
    peer = "" if row.peer is None else f"{figure(row.peer)} {row.unit} {row.peer_name}"
    ratio = "" if row.peer is None else f"{row.ratio:.2f}"
    limit = "" if row.limit is None else f"{'≤' if row.is_ceiling else '≥'} {figure(row.limit)}"
    verdict = {True: "met", False: "MISSED", None: ""}[row.is_met]
    return f"{row.name:<66} {figure(row.ours):>10} {row.unit:<3} {peer:<36} {ratio:>6} {limit:>10} {verdict}".rstrip()


def figure(value: float) -> str:
    """Return a number with as many digits as are worth reading."""
    if value == round(value) and abs(value) < 1_000:
        return f"{value:.0f}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"


def save(rows: list[Row]) -> None:
    """Write the results with the machine they are of."""
    RESULTS.parent.mkdir(exist_ok=True)
    said = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "rows": [
            asdict(row) | {"ratio": None if math.isnan(row.ratio) else row.ratio, "is_met": row.is_met}
            for row in rows
        ],
    }
    RESULTS.write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
