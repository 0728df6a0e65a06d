"""Many at once: the same call from many threads at the same moment."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask


def call_at_once(app: Flask, call: Callable[[], Any], times: int) -> list[Any]:
    """Return what each call answered or raised; every thread has an application context of its own."""
    gate = threading.Barrier(times)

    def one(_number: int) -> Any:
        with app.app_context():
            gate.wait()
            try:
                return call()
            except Exception as error:  # noqa: BLE001 - the test looks at it
                return error

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(one, range(times)))
