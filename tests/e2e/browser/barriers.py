"""What a page must be for everybody: no barrier that axe finds, and no wider than the window."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_COUNTING = """addEventListener("click", (event) => {
  if (event.isTrusted) sessionStorage.setItem("clicks", 1 + Number(sessionStorage.getItem("clicks")));
}, true);"""


def barriers(page: Page) -> list[str]:
    """The rules of accessibility that a page breaks, each with the first element; and whether it is too wide."""
    page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text())
    found = page.evaluate("(rules) => axe.run({runOnly: rules, resultTypes: ['violations']})", RULES)
    told = [f"{each['id']}: {each['nodes'][0]['html']}" for each in found["violations"]]
    width, room = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    return told + ([f"{width} pixels wide"] if width > room else [])


def count_clicks(page: Page) -> None:
    """From now on, in this tab."""
    page.add_init_script(_COUNTING)
    page.reload()
    page.evaluate("sessionStorage.setItem('clicks', 0)")


def clicks(page: Page) -> int:
    """How many since then."""
    return int(page.evaluate("Number(sessionStorage.getItem('clicks'))"))
