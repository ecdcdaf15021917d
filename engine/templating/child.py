"""The process in which templates are read and rendered: it may take so much CPU time and memory, and knows no secret.

It answers one request after another on its standard input and output: JSON behind its length in four bytes.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from collections import OrderedDict
from contextlib import contextmanager, suppress
from dataclasses import asdict
from math import ceil
from typing import TYPE_CHECKING, Any, BinaryIO

from css_inline import CSSInliner

from engine.templating.checking import checked
from engine.templating.content import Content
from engine.templating.faults import told
from engine.templating.sandbox import Sandbox, TooMuch, as_body, as_subject, sources
from engine.templating.untrusted import neutralised

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import FrameType

SECONDS = 1.0  # of CPU time for one request
MEMORY = 512 * 1024 * 1024  # bytes of addresses
KEPT = 40  # versions in a locale whose templates stay compiled
AGAIN = 0.05  # seconds until the alarm rings again, if an expression caught it

_INLINER = CSSInliner(keep_style_tags=True, keep_at_rules=True, load_remote_stylesheets=False)


class OutOfTime(BaseException):
    """The CPU time is over: no `except Exception` of a filter catches this."""


class Kitchen:
    """Compiled templates, and what is asked about them."""

    def __init__(self) -> None:
        self._compiled: OrderedDict[tuple[str, str], tuple[Content, str, Sandbox]] = OrderedDict()

    def answer(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """The answer to a request; `error`: what is wrong with it, `bound`: it took all its time or memory."""
        try:
            with _timed():
                return self._render(**request) if "id" in request else asdict(checked(Content.of(request["content"])))
        except OutOfTime:
            return {"error": f"it takes longer than {SECONDS:g} s", "bound": True}
        except MemoryError:
            self._compiled.clear()
            return {"error": "it takes too much memory", "bound": True}
        except TooMuch as error:
            return {"error": str(error)}
        except RecursionError:
            return {"error": "it is nested too deeply"}
        except Exception as error:  # noqa: BLE001 a template's expressions may raise anything
            return {"error": told(error)}

    def _render(self, id: str, content: str | None, locale: str, values: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: A002
        found = self._compiled.get((id, locale))
        if found is None and content is None:
            return {"unknown": True}
        if found is None:
            read = Content.of(content or "")
            chosen, named = sources(read, locale)
            found = self._compiled[id, locale] = read, chosen, Sandbox(named)
            if len(self._compiled) > KEPT:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end((id, locale))
        read, chosen, sandbox = found
        given = neutralised(read.schema, values) | {"locale": chosen}
        return {"locale": chosen} | {kind: _rendered(sandbox, kind, given) for kind in ("subject", "html", "text")}


def _rendered(sandbox: Sandbox, kind: str, values: Mapping[str, Any]) -> str | None:
    """One of a version's texts; None: it has none."""
    name = f"{kind}:"
    if name not in sandbox.sources:
        return None
    text = sandbox.rendered(name, values)
    if kind == "subject":
        return as_subject(text)
    return as_body(_inlined(text) if kind == "html" else text)


def _inlined(html: str) -> str:
    """HTML whose rules of style stand at the elements, too: some mail programs read no others."""
    return _INLINER.inline(html) if "<style" in html.lower() else html


@contextmanager
def _timed() -> Iterator[None]:
    """Bound the CPU time of a request: by an alarm, and behind it by the kernel, which stops what hears no alarm."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (ceil(time.process_time() + SECONDS) + 1, hard))
    signal.setitimer(signal.ITIMER_PROF, SECONDS, AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _ring(_signal: int, _frame: FrameType | None) -> None:
    raise OutOfTime


def _read(stream: BinaryIO) -> Mapping[str, Any] | None:
    head = stream.read(4)
    if len(head) < 4:  # noqa: PLR2004 nobody asks any more
        return None
    request: Mapping[str, Any] = json.loads(stream.read(int.from_bytes(head)))
    return request


def _write(stream: BinaryIO, answer: Mapping[str, Any]) -> None:
    text = json.dumps(answer).encode()
    stream.write(len(text).to_bytes(4) + text)
    stream.flush()


def main() -> None:
    """Answer requests until their end."""
    signal.signal(signal.SIGPROF, _ring)
    for ending in (signal.SIGINT, signal.SIGTERM):  # Ctrl-C reaches all; whoever asks closes the input
        signal.signal(ending, signal.SIG_IGN)
    for kind, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0)):
        with suppress(ValueError, OSError):  # not everywhere
            resource.setrlimit(kind, (most, most))
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    kitchen = Kitchen()
    _write(answers, {})  # it is ready
    while (request := _read(sys.stdin.buffer)) is not None:
        _write(answers, kitchen.answer(request))


if __name__ == "__main__":
    main()
