"""What the docs list is what the code has: settings, commands, environment."""

from __future__ import annotations

import re

import click

from referral.rules import SETTINGS
from tests.house.source import ROOT

OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
OF_LIBRARIES = {"db", "run", "shell", "routes", "openapi"}


def test_every_setting_stands_in_the_docs_as_it_is_shipped():
    rows = dict(re.findall(r"^\| `([a-z_]+)` \| (.+ \| .+) \|$", OPERATIONS, re.MULTILINE))
    assert {key: f"{rule.words} | {rule.shipped}" for key, rule in SETTINGS.items()} == rows


def commands(group: click.Group, words: str) -> set[str]:
    found = set()
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found |= commands(command, f"{words} {name}")
        else:
            found.add(f"{words} {name}")
    return found


def test_every_command_stands_in_the_docs_and_every_one_there_exists(plain_app):
    ours = {command for command in commands(plain_app.cli, "flask") if command.split()[1] not in OF_LIBRARIES}
    documented = set(re.findall(r"^\| `(flask [a-z -]+)` \|", OPERATIONS, re.MULTILINE))
    assert ours == documented


def test_every_variable_of_the_environment_stands_in_the_docs():
    read = set(re.findall(r"LEDGER_[A-Z_]+", (ROOT / "wsgi.py").read_text(encoding="utf-8")))
    assert read <= set(re.findall(r"LEDGER_[A-Z_]+", OPERATIONS))


def test_links_of_the_docs_lead_somewhere():
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
