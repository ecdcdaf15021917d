"""Full load on a path: wrk with a script that sends the benchmark's requests."""

from __future__ import annotations

import random
import re
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

CONNECTIONS = 64
FRESH = "@fresh@"  # in a body, each request replaces this by another text

_SCRIPT = """
local headers = {%s}
local bodies = {%s}
local turn = 0
math.randomseed(%d)
request = function()
  turn = turn + 1
  local body = bodies[turn %% #bodies + 1]
  if %s then
    body = body:gsub("%s", string.format("%%08x-%%06x", math.random(0, 2^31 - 1), turn))
  end
  return wrk.format("POST", nil, headers[turn %% #headers + 1], body)
end
"""


def write_script(path: Path, headers: Sequence[Mapping[str, str]], bodies: Sequence[str]) -> None:
    """Write a script that posts the bodies with the headers; both take turns."""
    tables = [", ".join(f'["{name}"] = {_text(value)}' for name, value in each.items()) for each in headers]
    fresh = "true" if any(FRESH in body for body in bodies) else "false"
    seed = random.getrandbits(31)  # different for each script, so that texts of an earlier run do not come again
    path.write_text(
        _SCRIPT % (", ".join(f"{{{table}}}" for table in tables), ", ".join(map(_text, bodies)), seed, fresh, FRESH)
    )


def wrk(url: str, script: Path, seconds: int) -> tuple[float, int]:
    """Answers per second, and their number; RuntimeError when one was not 2xx."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "20s", "-s", str(script), url]
    output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    rate, answered = re.search(r"Requests/sec: *([\d.]+)", output), re.search(r"(\d+) requests in", output)
    if not rate or not answered or "Non-2xx" in output or "Socket errors" in output:
        raise RuntimeError(f"wrk got other answers than 2xx, or errors: {output}")
    return float(rate[1]), int(answered[1])


def _text(text: str) -> str:
    """The text as a Lua string, which needs no escapes."""
    return f"[==[{text}]==]"
