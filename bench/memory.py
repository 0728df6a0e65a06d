"""How much memory a program took at most."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

MEGABYTE = 1_000_000


def peak_bytes() -> int:
    """Return the largest resident memory of this process so far, in bytes.

    On Linux as the kernel counts it since the program began: what `getrusage` says is the parent's at first.
    """
    status = Path("/proc/self/status")
    if status.exists():
        found = [
            line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM:")
        ]
        if found:
            return int(found[0].split()[1]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
