"""Text from outside on a terminal: subjects and replies may hold what would move its cursor or turn lines."""

from __future__ import annotations


def plain(text: str) -> str:
    """The text with everything escaped that is not to be seen: controls, line ends, marks of direction."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
