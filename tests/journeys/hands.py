"""What the hands of somebody before a browser do: press, follow, fill in, and read what the page says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from referral.clock import now
from tests.journeys.story import PASSWORD

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}

TELL_IF_WIDER = """addEventListener('load', () => {
  const wider = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (wider > 0) console.error(`${location.pathname} scrolls sideways by ${wider} px`);
})"""
"""For a context's init script: every page that opens and is wider than the screen is a fault of the test."""


def says(page: Page, *words: str) -> None:
    """The page shows these words; on a phone it does not scroll sideways."""
    for each in words:
        expect(page.locator("main")).to_contain_text(each)
    width = page.viewport_size["width"] if page.viewport_size else 0
    if width < 400:
        assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url


def press(page: Page, name: str) -> None:
    """Press the button of that name."""
    page.get_by_role("button", name=name, exact=True).click()


def follow(page: Page, name: str) -> None:
    """Follow the first link of that name, whether it looks like a link or like a button."""
    named = page.get_by_role("link", name=name, exact=True).or_(
        page.get_by_role("button", name=name, exact=True)
    )
    page.locator("a").and_(named).first.click()


def fill(page: Page, **said: str) -> None:
    """Fill in fields of the page itself by their labels; `_` stands for a blank."""
    for label, text in said.items():
        page.locator("main").get_by_label(label.replace("_", " "), exact=False).first.fill(text)


def tab_to(page: Page, control: Locator, tabs: int = 60) -> None:
    """Press Tab until the control has the focus, as somebody without a mouse does."""
    for _ in range(tabs):
        if control.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{control} is not reached by Tab")


def sign_in(page: Page, email: str) -> None:
    """Sign in with the password of the journeys."""
    page.goto("/sign-in")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    press(page, "Sign in")
    says(page, str(now().year))
