"""Text from outside on a terminal: subjects and replies may move its cursor or turn its text around."""

from __future__ import annotations


def plain(text: str) -> str:
    """The text, with each character escaped that cannot be seen: controls, line ends, marks of direction."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
