"""One commit, one clock, one signature for what writes, states moved by their table alone, no floats."""

from __future__ import annotations

import ast
import re

import pytest

from tests.house.source import FLOORS, ROOT, functions_of, imports_of, module_files, name_of, room_of, tree_of

CLOCKS = {"now", "utcnow", "today", "time", "time_ns", "monotonic"}
HELPERS_THAT_TAKE_NO_ACTOR = {
    "referral.operations.admins.create_admin",
    "referral.operations.mail.lease_mail",
    "referral.operations.mail.mark_mail_failed",
    "referral.operations.mail.mark_mail_sent",
    "referral.operations.records.queue_mail",
    "referral.operations.records.queue_mail_to_role",
    "referral.operations.people.accept_invitation",
    "referral.operations.people.record_failed_sign_in",
    "referral.operations.people.save_credentials",
    "referral.operations.people.issue_api_token",
    "ledger.operations.entries.posting_year",
    "ledger.operations.entries.locked_heads",
    "ledger.operations.entries.open_accounts",
    "warranty.operations.recording.make_sources",
    "warranty.operations.sites.first_site",
    "warranty.operations.splits.split_groups",
    "warranty.operations.splits.split_units",
}
"""Writes nobody signed in for (a mail owed, an invitation used, a sign-in), the locks before an entry, and
installed sources that follow an order, of which its shipments say by whom they were recorded."""


def calls(tree: ast.AST):
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def test_there_is_one_commit_in_the_whole_application():
    places = [
        f"{name_of(path)}:{node.lineno}"
        for path in [*module_files(), ROOT / "wsgi.py", *(ROOT / "demo").glob("*.py")]
        for node in calls(tree_of(path))
        if isinstance(node.func, ast.Attribute) and node.func.attr == "commit"
    ]
    assert len(places) == 1, places
    assert places[0].startswith("referral.db:")


def test_only_the_clock_reads_the_clock():
    readers = [
        f"{name_of(path)}:{node.lineno}"
        for path in [*module_files(), ROOT / "wsgi.py", *(ROOT / "demo").glob("*.py")]
        if name_of(path) != "referral.clock"
        for node in calls(tree_of(path))
        if isinstance(node.func, ast.Attribute)
        and node.func.attr in CLOCKS
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in {"datetime", "date", "time"}
    ]
    assert not readers


def test_only_doors_ask_for_the_present_instant():
    askers = [
        name_of(path)
        for path in module_files()
        for _, imported in imports_of(path)
        if imported == "referral.clock"
        and room_of(name_of(path)) in {"rules", "states", "models"}
        and name_of(path) != "referral.clock"
    ]
    assert not askers
    for path in module_files():
        if room_of(name_of(path)) in {"queries", "operations", "rules", "models", "states"}:
            named = [node for node in calls(tree_of(path)) if isinstance(node.func, ast.Name)]
            assert not [node for node in named if node.func.id == "now"], path


def operations():
    for path in module_files():
        module = name_of(path)
        if room_of(module) != "operations":
            continue
        for node in tree_of(path).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                names = [argument.arg for argument in node.args.args]
                keywords = [argument.arg for argument in node.args.kwonlyargs]
                if names[:1] == ["tx"] and "at" in keywords:
                    yield f"{module}.{node.name}", names, keywords


def test_an_operation_takes_tx_then_keywords_with_actor_and_at():
    found = dict.fromkeys([])
    for name, names, keywords in operations():
        found[name] = None
        assert names == ["tx"], f"{name} takes {names} by position"
        assert "at" in keywords, name
        assert "actor" in keywords or name in HELPERS_THAT_TAKE_NO_ACTOR, name
    assert len(found) > 20


def test_no_state_is_assigned_outside_the_table_of_moves():
    wrong = []
    for path in module_files():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Attribute) and target.attr == "state":
                        call = node.value
                        moved = isinstance(call, ast.Call) and getattr(call.func, "id", "") == "next_state"
                        if not moved:
                            wrong.append(f"{name_of(path)}:{node.lineno}")
    assert not wrong


@pytest.mark.parametrize("floor", FLOORS)
def test_no_float_comes_near_money(floor):
    wrong = []
    for path in (ROOT / floor).rglob("*.py"):
        if room_of(name_of(path)) == "sheetkit":
            continue
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Constant) and isinstance(node.value, float):
                wrong.append(f"{name_of(path)}:{node.lineno} {node.value}")
            if isinstance(node, ast.Name) and node.id == "float":
                wrong.append(f"{name_of(path)}:{node.lineno} float")
    assert [place for place in wrong if not place.startswith("referral.db:")] == []


def test_every_refusal_raised_has_its_sentence_and_stands_in_the_docs():
    known = set(re.findall(r'"([a-z_]+)": "', (ROOT / "referral" / "errors.py").read_text(encoding="utf-8")))
    raised = set()
    for path in [*module_files(), *(ROOT / "demo").glob("*.py")]:
        for node in calls(tree_of(path)):
            if getattr(node.func, "id", "") in {"Refusal", "Problem"} and node.args:
                code = node.args[0]
                if isinstance(code, ast.Constant):
                    raised.add(code.value)
    assert raised <= known, raised - known
    documented = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert not [code for code in known if f"`{code}`" not in documented]


def test_functions_fit_on_a_screen():
    long = [
        f"{name_of(path)}.{node.name}: {node.end_lineno - node.lineno}"
        for path in module_files()
        for node in functions_of(path)
        if node.end_lineno - node.lineno > 110
    ]
    assert not long
