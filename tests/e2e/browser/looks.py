"""What a page must be for everybody, on each screen and in both colours; and how many clicks a task takes."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from tests.helpers import suite

if TYPE_CHECKING:
    import pytest
    from playwright.sync_api import Page

WIDTHS = (1440, 360)  # pixels: a desk, a phone
BETWEEN = 768  # a tablet
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_COLOURS = ["color-contrast", "link-in-text-block"]  # all that differs from light to dark
# Counts a tab's clicks; Enter in a form clicks its button.
COUNTING = """addEventListener("click", (event) => {
  if (event.isTrusted) sessionStorage.setItem("clicks", 1 + Number(sessionStorage.getItem("clicks")));
}, true);"""
_BEYOND = """[...document.querySelectorAll("main *, header *, footer *")].filter((each) =>
  each.getBoundingClientRect().right > innerWidth && !each.closest(".wide, pre, svg")).map((each) =>
  `beyond ${innerWidth} pixels: ${each.outerHTML.slice(0, 80)}`).slice(0, 3)"""


def barriers(page: Page) -> list[str]:
    """What keeps somebody from a page: rules of accessibility that it breaks, and what stands beyond its right edge."""
    told: list[str] = []
    page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text())
    told += _broken(page, _RULES)
    page.emulate_media(color_scheme="dark")
    told += [f"dark: {each}" for each in _broken(page, _COLOURS)]
    page.emulate_media(color_scheme="light")
    size = page.viewport_size
    assert size
    for width in {BETWEEN, *WIDTHS, size["width"]}:
        page.set_viewport_size({"width": width, "height": size["height"]})
        told += beyond(page)
    page.set_viewport_size(size)
    return told


def beyond(page: Page) -> list[str]:
    """The first elements that need scrolling sideways; tables, source text and drawings have a frame to scroll in."""
    told: list[str] = page.evaluate(_BEYOND)
    width, room = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    return told or ([f"{width} pixels wide in {room}"] if width > room else [])


def go_to(page: Page, name: str) -> bool:
    """Follow a link of the navigation; whether that took a click more, since a narrow screen has it in a menu."""
    menu = page.get_by_text("Menu", exact=True)
    if is_narrow := menu.is_visible():
        menu.click()
    page.get_by_role("navigation", name="Console").get_by_role("link", name=name, exact=True).click()
    return is_narrow


def clicks(page: Page, test: pytest.Item, task: str) -> int:
    """How many there were in a tab that counts them; they are told at the end of the run."""
    count = int(page.evaluate("Number(sessionStorage.getItem('clicks'))"))
    width = page.viewport_size["width"] if page.viewport_size else 0
    suite.tell(test, f"{task}: {count} clicks at {width} px")
    return count


def _broken(page: Page, rules: list[str]) -> list[str]:
    found = page.evaluate("(rules) => axe.run({runOnly: rules, resultTypes: ['violations'], iframes: false})", rules)
    return [f"{each['id']}: {each['nodes'][0]['html']}" for each in found["violations"]]
