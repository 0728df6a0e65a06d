"""The page client: a person's browser without the browser, which looks at each page it fetches."""

from __future__ import annotations

import hashlib
import secrets
import time
from contextvars import Context
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlencode, urljoin, urlsplit
from xml.etree.ElementTree import Element

import html5lib
from html5lib.constants import E as MESSAGES
from itsdangerous import URLSafeTimedSerializer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from flask import Flask
    from werkzeug.test import TestResponse

AGENT = "Ledger-Tests/1.0"
SPOKEN_BY_ITSELF = {"hidden", "submit", "button", "image", "reset"}


class Person(Protocol):
    """Whoever can sign in."""

    sign_in_id: str


class Page:
    """One answer: `status`, `location`, `text` as read on the page, `tree` to look into, `response` itself."""

    def __init__(self, response: TestResponse, address: str, *, is_part: bool = False) -> None:
        """Read the answer; an HTML one is parsed and looked at."""
        self.response = response
        self.address = address
        self.status = response.status_code
        self.location = response.headers.get("Location", "")
        self.html = response.get_data(as_text=True) if response.mimetype.startswith("text/") else ""
        is_part = is_part and not self.html.lstrip().lower().startswith("<!doctype")
        self.faults: list[str] = []
        self.tree = Element("html")
        if response.mimetype == "text/html" and self.html and not 300 <= self.status < 400:
            parser = html5lib.HTMLParser(namespaceHTMLElements=False)
            self.tree = parser.parseFragment(self.html) if is_part else parser.parse(self.html)
            self.faults += [
                f"line {place[0]}: {MESSAGES[code] % details}" for place, code, details in parser.errors
            ]
            self.faults += elements_faults(self.tree)
            if not is_part:
                self.faults += document_faults(self.tree)
                self.faults += policy_faults(response.headers.get("Content-Security-Policy", ""))

    @property
    def text(self) -> str:
        """Return what is read on the page, white space collapsed."""
        return spoken(self.tree.find("body") if self.tree.find("body") is not None else self.tree)

    @property
    def json(self) -> Any:
        """Return the answer of the API."""
        return self.response.json

    def all(self, path: str) -> list[str]:
        """Return the texts of all elements at an ElementTree path, such as `.//td`."""
        return [spoken(element) for element in self.tree.iterfind(path)]

    def form(self, button: str) -> tuple[Element, Element]:
        """Return the form with the button of that name, and the button."""
        found = [
            (form, element)
            for form in self.tree.iter("form")
            for element in controls(self.tree, form)
            if element.tag == "button" or element.get("type") == "submit"
            if button in (spoken(element), element.get("value"), element.get("aria-label"))
        ]
        assert found, f"{self.address}: no form has the button {button!r}"
        assert len(found) == 1, f"{self.address}: {len(found)} forms have the button {button!r}"
        return found[0]

    def link(self, name: str) -> str:
        """Return where the link of that name leads."""
        found = {
            element.get("href", "")
            for element in self.tree.iter("a")
            if name in (spoken(element), element.get("aria-label"))
        }
        assert found, f"{self.address}: no link is named {name!r}"
        assert len(found) == 1, f"{self.address}: links named {name!r} lead to {sorted(found)}"
        return urljoin(self.address, found.pop())


class PageClient:
    """A signed-in (or not yet signed-in) person at the application."""

    def __init__(self, app: Flask, before: Callable[[], None], after: Callable[[], None]) -> None:
        """Call `before` ahead of each request and `after` behind it: the test's own transaction ends there."""
        self.app = app
        self.flask = app.test_client()
        self.page: Page | None = None
        self._around = before, after

    def other(self) -> PageClient:
        """Return a client of somebody else at the same application."""
        return PageClient(self.app, *self._around)

    def sign_in(self, person: Person) -> PageClient:
        """Be that person from now on, without the form and the price of its password hash."""
        self._around[0]()
        self.flask.delete_cookie(self.app.config["SESSION_COOKIE_NAME"])
        self._keep_session({})
        self.flask.set_cookie(*session_cookie(self.app, person), secure=False)
        return self

    def sign_in_by_form(self, email: str, password: str, *, status: int = 303) -> Page:
        """Sign in as a person does."""
        return self.post("/sign-in", {"email": email, "password": password}, status=status)

    def get(self, path: str, *, status: int | None = 200, **options: Any) -> Page:
        """Fetch a page, check its status and look at it."""
        return self.open("GET", path, status=status, **options)

    def post(
        self, path: str, data: Mapping[str, Any] | None = None, *, status: int | None = 303, **options: Any
    ) -> Page:
        """Post a form with a valid token; the redirect is not followed."""
        return self.open(
            "POST", path, data={"csrf_token": self.token()} | dict(data or {}), status=status, **options
        )

    def api(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str = "",
        status: int | None = 200,
        **options: Any,
    ) -> Page:
        """Call the JSON API; the answer is in `.json`."""
        headers = dict(options.pop("headers", {}))
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            options["json"] = body
        return self.open(method, path, status=status, headers=headers, **options)

    def click(self, name: str, *, status: int | None = 200) -> Page:
        """Follow the link of that name on the page fetched last."""
        return self.get(self._last().link(name), status=status)

    def submit(self, button: str, data: Mapping[str, Any] | None = None, *, status: int | None = 303) -> Page:
        """Fill in the form with that button on the page fetched last, as far as `data` says, and send it.

        What the form holds already is sent as it is. A redirect is followed and its page returned. A field
        that the form lacks fails the test.
        """
        form, pressed = self._last().form(button)
        filled = filled_in(self._last().tree, form)
        if pressed.get("name"):
            filled[pressed.get("name", "")] = pressed.get("value", "")
        missing = set(data or {}) - filled.keys() - fields_of(self._last().tree, form)
        assert not missing, f"{self._last().address}: the form {button!r} lacks the fields {sorted(missing)}"
        filled |= data or {}
        target = urljoin(self._last().address, pressed.get("formaction") or form.get("action") or "")
        if (pressed.get("formmethod") or form.get("method") or "get").lower() == "get":
            return self.get(f"{target}?{urlencode(filled, doseq=True)}", status=200)
        page = self.open("POST", target, data=filled, status=status)
        return self.get(urljoin(page.address, page.location)) if 300 <= page.status < 400 else page

    def open(self, method: str, path: str, *, status: int | None, **options: Any) -> Page:
        """Send any request. It runs in a context of its own: an open one would lend it another person."""
        before, after = self._around
        headers = {"User-Agent": AGENT} | dict(options.pop("headers", {}))
        options.setdefault("buffered", True)  # a file that is sent is read and closed
        before()
        response = Context().run(self.flask.open, path, method=method, headers=headers, **options)
        after()
        address = urlsplit(response.request.url)._replace(scheme="", netloc="").geturl()
        page = Page(response, address, is_part="HX-Request" in headers)
        says = page.html or response.get_data()[:2000].decode(errors="replace")
        assert status in (None, page.status), f"{method} {path}: {page.status}, expected {status}\n{says}"
        assert not page.faults, "\n".join([f"{method} {path} ({page.status}):", *page.faults])
        if not 300 <= page.status < 400:
            self.page = page
        return page

    def token(self) -> str:
        """Return a token that this person's forms may carry."""
        session = self._session()
        if "csrf_token" not in session:
            session["csrf_token"] = secrets.token_hex(20)
            self._keep_session(session)
        key = self.app.config.get("WTF_CSRF_SECRET_KEY") or self.app.secret_key
        return str(URLSafeTimedSerializer(key, salt="wtf-csrf-token").dumps(session["csrf_token"]))

    def _session(self) -> dict[str, Any]:
        cookie = self.flask.get_cookie(self.app.config["SESSION_COOKIE_NAME"])
        return read_session(self.app, cookie.value) if cookie else {}

    def _keep_session(self, session: dict[str, Any]) -> None:
        self.flask.set_cookie(self.app.config["SESSION_COOKIE_NAME"], write_session(self.app, session))

    def _last(self) -> Page:
        assert self.page is not None, "no page was fetched yet"
        return self.page


def session_cookie(
    app: Flask, person: Person, agent: str = AGENT, address: str = "127.0.0.1"
) -> tuple[str, str]:
    """Return the cookie of a person who has just signed in with that browser from that address."""
    seal = hashlib.sha512(f"{address}|{agent.encode()!r}".encode()).hexdigest()
    session = {
        "_user_id": str(person.sign_in_id), "_fresh": True, "_id": seal, "fs_cc": "set", "fs_paa": time.time(),
    }  # fmt: skip
    return app.config["SESSION_COOKIE_NAME"], write_session(app, session)


def write_session(app: Flask, session: dict[str, Any]) -> str:
    """Seal a session as the application does."""
    return str(app.session_interface.get_signing_serializer(app).dumps(session))  # type: ignore[attr-defined]


def read_session(app: Flask, cookie: str) -> dict[str, Any]:
    """Open a session as the application does."""
    return dict(app.session_interface.get_signing_serializer(app).loads(cookie))  # type: ignore[attr-defined]


def spoken(element: Element) -> str:
    """Return the text of an element, white space collapsed; comments and scripts are not read."""
    return " ".join("".join(pieces(element)).split())


def pieces(element: Element) -> Iterator[str]:
    """Yield the texts in an element, a space between its parts where a line would break."""
    if isinstance(element.tag, str) and element.tag not in {"script", "style", "template"}:
        yield element.text or ""
        for child in element:
            yield from pieces(child)
            yield " " if child.tag in {"p", "li", "td", "th", "tr", "div", "dt", "dd", "br", "option"} else ""
            yield child.tail or ""


def controls(tree: Element, form: Element) -> list[Element]:
    """Return what belongs to a form: inside it, or naming it from elsewhere."""
    inside = [
        element for element in form.iter() if not element.get("form") or element.get("form") == form.get("id")
    ]
    own = form.get("id")
    return inside + [
        element for element in tree.iter() if own and element.get("form") == own and element not in inside
    ]


def fields_of(tree: Element, form: Element) -> set[str]:
    """Return the names of a form's fields, the empty and unchecked ones too."""
    return {
        element.get("name", "")
        for element in controls(tree, form)
        if element.tag in {"input", "select", "textarea"} and "disabled" not in element.attrib
    }


def filled_in(tree: Element, form: Element) -> dict[str, Any]:
    """Return what a browser would send of a form nobody touched."""
    sent: dict[str, list[str]] = {}
    for element in controls(tree, form):
        name, kind = element.get("name"), element.get("type", "text").lower()
        if not name or "disabled" in element.attrib:
            continue
        if element.tag == "select":
            options = list(element.iter("option"))
            chosen = [option for option in options if "selected" in option.attrib] or options[:1]
            sent.setdefault(name, []).extend(option.get("value", spoken(option)) for option in chosen)
        elif element.tag == "textarea":
            sent.setdefault(name, []).append(element.text or "")
        elif element.tag == "input" and kind in {"checkbox", "radio"} and "checked" in element.attrib:
            sent.setdefault(name, []).append(element.get("value", "on"))
        elif element.tag == "input" and kind not in {"checkbox", "radio", "file", *SPOKEN_BY_ITSELF} - {
            "hidden"
        }:
            sent.setdefault(name, []).append(element.get("value", ""))
    return {name: values if len(values) > 1 else values[0] for name, values in sent.items()}


def document_faults(tree: Element) -> Iterator[str]:
    """Say what a whole page lacks."""
    if (count := len(list(tree.iter("h1")))) != 1:
        yield f"{count} h1, expected one"
    if not "".join(tree.findtext("head/title", "")).strip():
        yield "the title is empty"
    if not tree.get("lang"):
        yield "html has no lang"
    for menu in tree.iter("nav"):
        if (count := sum("aria-current" in link.attrib for link in menu.iter("a"))) > 1:
            yield f"{menu.get('aria-label')!r} marks {count} places as the current one"


def policy_faults(policy: str) -> Iterator[str]:
    """Say what the content security policy lacks."""
    if "default-src 'none'" not in policy:
        yield "the content security policy does not start from default-src 'none'"
    if "unsafe" in policy:
        yield "the content security policy allows what is unsafe"


def elements_faults(tree: Element) -> Iterator[str]:
    """Say what is wrong with single elements: labels, tokens, styles and scripts in line, doubled ids."""
    elements = [element for element in tree.iter() if isinstance(element.tag, str)]
    ids = [element.get("id", "") for element in elements if "id" in element.attrib]
    yield from (
        f"the id {name!r} is used more than once" for name in sorted({n for n in ids if ids.count(n) > 1})
    )
    labels = [element for element in elements if element.tag == "label"]
    labelled = {label.get("for") for label in labels} | {
        id(inner) for label in labels for inner in label.iter() if spoken(label)
    }
    for element in elements:
        shown = f"<{element.tag} {' '.join(f'{name}={value!r}' for name, value in element.attrib.items())}>"
        in_line = [
            name for name in element.attrib if name == "style" or (name[:2] == "on" and name.isalpha())
        ]
        yield from (f"{shown}: the policy refuses {name}" for name in in_line)
        if element.tag == "style" or (element.tag == "script" and not element.get("src")):
            yield f"{shown}: the policy refuses it in line"
        if element.tag == "img" and "alt" not in element.attrib:
            yield f"{shown}: no alt"
        if element.tag == "label" and "for" in element.attrib and element.get("for") not in ids:
            yield f"{shown}: is for nothing on the page"
        if element.tag in {"input", "select", "textarea"} and element.get("type") not in SPOKEN_BY_ITSELF:
            named = element.get("aria-label") or element.get("aria-labelledby")
            if not (
                named or id(element) in labelled or ("id" in element.attrib and element.get("id") in labelled)
            ):
                yield f"{shown}: has no label"
        if element.tag == "form" and element.get("method", "").lower() == "post":
            tokens = [e.get("value") for e in controls(tree, element) if e.get("name") == "csrf_token"]
            if len(tokens) != 1 or not tokens[0]:
                yield f"{shown}: has {len(tokens)} tokens, expected one"
