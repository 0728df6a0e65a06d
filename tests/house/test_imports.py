"""Imports go down and to the left, and stand at the top of their file."""

from __future__ import annotations

import ast

import pytest

from tests.house.source import (
    DOORS,
    FLOORS,
    KITS,
    LEFT_OF_FORMS,
    ORDER,
    ROOT,
    SHAPES,
    functions_of,
    imports_of,
    module_files,
    name_of,
    room_of,
    tree_of,
)

WEB = {
    "flask",
    "werkzeug",
    "wtforms",
    "flask_wtf",
    "marshmallow",
    "openpyxl",
    "flask_smorest",
    "flask_security",
}
FILES = [pytest.param(path, id=name_of(path)) for path in module_files()]


def rank(room: str) -> int:
    if room in SHAPES:
        return ORDER.index(SHAPES[0])
    if room in DOORS:
        return ORDER.index(DOORS[0])
    return ORDER.index(room)


def may_import(importer: str, imported: str) -> bool:
    floor, other = importer.split(".", maxsplit=1)[0], imported.split(".", maxsplit=1)[0]
    if FLOORS.index(other) > FLOORS.index(floor):
        return False
    room, other_room = room_of(importer), room_of(imported)
    if room == other_room:
        return True
    if other_room in DOORS or rank(other_room) == rank(room):
        return False
    return rank(other_room) < rank(room)


@pytest.mark.parametrize("path", FILES)
def test_imports_go_down_and_to_the_left(path):
    importer = name_of(path)
    wrong = [
        imported
        for _, imported in imports_of(path)
        if imported.split(".")[0] in FLOORS and room_of(importer) and not may_import(importer, imported)
    ]
    assert not wrong, f"{importer} imports {wrong}"


@pytest.mark.parametrize("path", FILES)
def test_every_module_stands_in_a_known_room(path):
    assert room_of(name_of(path)) in {"", *ORDER}


@pytest.mark.parametrize("path", FILES)
def test_no_import_hides_in_a_function_or_a_type_checking_block(path):
    top = set(map(id, tree_of(path).body))
    hidden = [ast.unparse(node) for node, _ in imports_of(path) if id(node) not in top]
    assert not hidden, hidden


@pytest.mark.parametrize("path", FILES)
def test_rooms_left_of_forms_know_no_web_and_no_workbook(path):
    module = name_of(path)
    if room_of(module) not in LEFT_OF_FORMS:
        return
    known = [name for _, name in imports_of(path) if name.split(".")[0] in WEB]
    assert not known, f"{module} imports {known}"


def test_only_the_roof_knows_every_floor():
    above = [
        name
        for path in module_files()
        for _, name in imports_of(path)
        if name.split(".")[0] in {"wsgi", "demo"}
    ]
    assert not above


def test_packages_hold_a_docstring_and_nothing_else():
    for path in module_files():
        if path.name == "__init__.py":
            body = tree_of(path).body
            assert len(body) == 1, path
            assert ast.get_docstring(tree_of(path)), path


def test_every_module_and_every_public_function_says_what_it_is_for():
    silent = [name_of(path) for path in module_files() if not ast.get_docstring(tree_of(path))]
    for path in module_files():
        if room_of(name_of(path)) in {"operations", "queries", "rules", "states"}:
            silent += [
                f"{name_of(path)}.{node.name}"
                for node in functions_of(path)
                if not node.name.startswith("_") and not ast.get_docstring(node)
            ]
    assert not silent


def test_the_order_of_rooms_is_the_one_the_readers_see():
    text = (ROOT / "docs" / "house.md").read_text(encoding="utf-8")
    for room in (*ORDER[len(ORDER) - len((*SHAPES, *DOORS)) :], *KITS, "operations", "queries", "rules"):
        assert f"`{room}`" in text, room
