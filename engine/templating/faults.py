"""What is wrong with a template, in words for whoever wrote it."""

from __future__ import annotations

from jinja2 import TemplateError, TemplateSyntaxError

from engine.templating.sandbox import TooMuch, as_subject

LONGEST = 300  # characters of a fault


def told(error: Exception) -> str:
    """A fault in one line. Of what is no error of Jinja's, which may quote values, the kind alone is told."""
    if isinstance(error, TemplateSyntaxError):
        place = f"{(error.name or '').rstrip(':')}, line {error.lineno}: " if error.name else ""
        text = f"{place}{error.message}"
    elif isinstance(error, TemplateError | TooMuch):
        text = str(error)
    else:
        text = f"{type(error).__name__} in an expression"
    return as_subject(text)[:LONGEST] or type(error).__name__
