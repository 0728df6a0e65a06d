"""Reads the project's own source for the structure tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
FLOORS = ("referral", "ledger", "quotes", "warranty", "support")
"""From the ground up: a floor may import floors before it."""

TOOLS = ("errors", "clock", "ids", "money", "text", "signing", "db", "permissions")
ROOMS = ("states", "models", "rules", "queries", "operations")
KITS = ("mailkit", "formkit", "schemakit", "sheetkit", "signin", "webkit", "listkit", "apikit")
SHAPES = ("forms", "schemas", "sheets")
DOORS = ("views", "api", "cli")
ORDER = (*TOOLS, *ROOMS, *KITS, *SHAPES, *DOORS)
"""From the left: a room may import rooms before it. Shapes are equals, and so are doors."""

LEFT_OF_FORMS = (*TOOLS, *ROOMS)


@cache
def module_files() -> tuple[Path, ...]:
    """Every Python file of the floors."""
    return tuple(sorted(path for floor in FLOORS for path in (ROOT / floor).rglob("*.py")))


@cache
def tree_of(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    """The dotted name of a file's module."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> Iterator[tuple[ast.stmt, str]]:
    """Every import of a file, wherever it stands: (statement, module name)."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                whole_floor = node.module in FLOORS
                yield node, f"{node.module}.{alias.name}" if whole_floor else node.module or ""


def room_of(module: str) -> str:
    """The room a module belongs to: its second name; '' for a floor's own package."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def functions_of(path: Path) -> Iterator[ast.FunctionDef]:
    """Every function of a file, nested ones too."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef):
            yield node
