"""Recomputing the ledger: postings a second, memory, and no false alarm while eight clients post."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench.common import CLIENTS, Plan, Row, Server, crews, measured_in_own_process
from bench.ground import house_on, make_postgres_ground, post_by_house
from bench.memory import MEGABYTE, peak_bytes
from ledger.queries.verification import ledger_counts, ledger_faults
from referral.db import read

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def verified(uri: str) -> tuple[int, int, float, float, float]:
    """Return postings, faults, seconds, seconds of this process' processor, and its memory's growth in MB."""
    with house_on(uri):
        postings = read(ledger_counts).postings
        memory = peak_bytes()
        begun, used = time.perf_counter(), time.process_time()
        faults = read(_count_faults)
        seconds, used = time.perf_counter() - begun, time.process_time() - used
        grown = (peak_bytes() - memory) / MEGABYTE
    return postings, faults, seconds, used, grown


def _count_faults(tx: Session) -> int:
    return sum(1 for _ in ledger_faults(tx))


def run(server: Server, plan: Plan) -> list[Row]:
    """Verify the databases that `reads.make_large` made, and one that is being written to."""
    small = measured_in_own_process(verified, server.uri("small"))
    runs = [measured_in_own_process(verified, server.uri("large")) for _ in range(3)]
    postings, faults, seconds, used, grown = sorted(runs, key=lambda each: each[2])[1]
    rows = [
        Row(f"verify {postings:,} postings, one process", postings / seconds, "/s", limit=250_000),
        Row(f"verify {postings:,} postings, by its processor time", postings / used, "/s"),
        Row(f"verify {postings:,} postings: faults of a right ledger", faults, "", limit=0, is_ceiling=True),
        Row(
            f"verify {postings:,} postings: memory beyond that for {small[0]:,}",
            max(0.0, grown - small[4]), "MB", limit=16, is_ceiling=True,
        ),
    ]  # fmt: skip
    make_postgres_ground(server, "busy", CLIENTS)
    alarms = rounds = 0
    with crews(ours=(post_by_house, server.uri("busy"), list(range(CLIENTS)), CLIENTS)) as crew:
        crew["ours"].begin(plan.seconds * 2)
        end = time.monotonic() + plan.seconds * 2
        with house_on(server.uri("busy")):
            while time.monotonic() < end:
                alarms += read(_count_faults)
                rounds += 1
        turn = crew["ours"].finish(plan.seconds * 2)
    rows.append(
        Row(
            f"verify {rounds} times while 8 clients post {turn.acknowledged:,}: false alarms",
            alarms,
            "",
            limit=0,
            is_ceiling=True,
        )
    )
    return rows
