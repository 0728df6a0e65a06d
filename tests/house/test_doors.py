"""Every endpoint asks for a permission, GETs and POSTs apart, and the grid covers what is asked."""

from __future__ import annotations

import ast

from referral.permissions import GRID, Permission, Role
from referral.webkit import permission_of
from tests.house.source import module_files, name_of, room_of, tree_of


def endpoints(app):
    return sorted({rule.endpoint for rule in app.url_map.iter_rules()})


def test_every_endpoint_of_ours_has_a_permission(plain_app):
    ours = [name for name in endpoints(plain_app) if name.split(".")[0] not in {"security", "api-docs"}]
    silent = [name for name in ours if permission_of(plain_app, name) is None]
    assert not silent


def test_an_endpoint_without_a_permission_answers_403_to_everyone(plain_app):
    silent = [name for name in endpoints(plain_app) if permission_of(plain_app, name) is None]
    for rule in plain_app.url_map.iter_rules():
        if rule.endpoint in silent and not rule.arguments:
            method = "GET" if "GET" in (rule.methods or ()) else "POST"
            plain_app.config["WTF_CSRF_ENABLED"] = False
            assert plain_app.test_client().open(rule.rule, method=method).status_code == 403, rule.rule
    plain_app.config["WTF_CSRF_ENABLED"] = True


def test_every_permission_is_asked_for_somewhere_and_given_to_someone(plain_app):
    asked = {permission_of(plain_app, name) for name in endpoints(plain_app)} - {None}
    given = frozenset().union(*GRID.values()) | {Permission.PUBLIC, Permission.SIGNED_IN}
    assert asked <= given
    assert set(GRID) == set(Role)
    assert given <= set(Permission)
    assert set(Permission) - asked == set()


def test_a_handler_writes_once_and_a_get_never():
    for path in module_files():
        if room_of(name_of(path)) not in {"views", "api"}:
            continue
        for node in tree_of(path).body:
            if not isinstance(node, ast.FunctionDef):
                continue
            marks = [ast.unparse(mark) for mark in node.decorator_list]
            names = [getattr(call.func, "id", "") for call in ast.walk(node) if isinstance(call, ast.Call)]
            writes = sum(name in {"write", "submitted"} for name in names)
            if any(".get(" in mark for mark in marks) and not any(".post(" in mark for mark in marks):
                assert writes == 0, f"{name_of(path)}.{node.name} writes on GET"
            assert writes <= 1, f"{name_of(path)}.{node.name} writes {writes} times"
