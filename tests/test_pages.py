"""The page client and the guards around it: what they refuse."""

from __future__ import annotations

import socket

import html5lib
import pytest

from tests.loopback import NetworkRefusedError
from tests.pages import document_faults, elements_faults, filled_in, policy_faults


def faults_of(body, head="<title>Lamps</title>"):
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    tree = parser.parse(f"<!doctype html><html lang=en><head>{head}</head><body>{body}</body></html>")
    return [*map(str, parser.errors), *elements_faults(tree), *document_faults(tree)]


def test_a_good_page_has_no_faults():
    form = "<form method=post><input type=hidden name=csrf_token value=x><label>Name <input name=a></label></form>"
    assert faults_of(f"<h1>Lamps</h1>{form}") == []


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("", "0 h1"),
        ("<h1>a</h1><h1>b</h1>", "2 h1"),
        ("<h1>a</h1><p><div></p>", "end-tag"),
        ("<h1>a</h1><input name=a>", "has no label"),
        ("<h1>a</h1><select name=a></select>", "has no label"),
        ("<h1>a</h1><label for=b>b</label>", "is for nothing"),
        ("<h1>a</h1><form method=post></form>", "0 tokens"),
        ("<h1>a</h1><p style='color: red'>", "refuses style"),
        ("<h1>a</h1><p onclick='go()'>", "refuses onclick"),
        ("<h1>a</h1><script>go()</script>", "in line"),
        ("<h1>a</h1><img src=x>", "no alt"),
        ("<h1>a</h1><p id=x><p id=x>", "more than once"),
    ],
)
def test_the_page_client_finds(body, fault):
    assert fault in "\n".join(faults_of(body))


def test_the_page_client_wants_a_title():
    assert faults_of("<h1>a</h1>", head="<title> </title>") == ["the title is empty"]


@pytest.mark.parametrize(
    "policy", ["", "default-src 'self'", "default-src 'none'; style-src 'unsafe-inline'"]
)
def test_the_page_client_wants_a_strict_policy(policy):
    assert list(policy_faults(policy))


def test_a_form_nobody_touched_sends_what_a_browser_would_send():
    tree = html5lib.parse(
        """<form id=f><input name=text value=1><input name=off type=checkbox><input name=on type=checkbox checked>
        <select name=one><option value=a>A<option value=b selected>B</select><textarea name=words>so</textarea>
        <input name=gone disabled value=x><button name=do>Go</button></form><input form=f name=far value=2>""",
        namespaceHTMLElements=False,
    )
    expected = {"text": "1", "on": "on", "one": "b", "words": "so", "far": "2"}
    assert filled_in(tree, tree.find(".//form")) == expected


@pytest.mark.parametrize("host", ["example.com", "192.0.2.1", "2001:db8::1"])
def test_tests_have_no_network(host):
    with pytest.raises(NetworkRefusedError):
        socket.create_connection((host, 80), timeout=1)
