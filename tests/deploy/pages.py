"""The commands of docs/production.md, by the heading that they stand under: what it says is what is run."""

from __future__ import annotations

import re
import textwrap

from tests.deploy.podman import ROOT

PAGE = ROOT / "docs" / "production.md"


def commands(heading: str) -> str:
    """All that is to be copied under a heading, up to the next, as one script."""
    parts = re.split(r"^#+ (.+)\n", PAGE.read_text(), flags=re.MULTILINE)
    section = dict(zip(parts[1::2], parts[2::2], strict=True))[heading]
    blocks = re.findall(r"(?:^    .*\n|(?<=\n)\n(?=    ))+", section, re.MULTILINE)
    return "\n".join(textwrap.dedent(block) for block in blocks)
