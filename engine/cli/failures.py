"""What e-mails failed with in the last hour, and how the relays do."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from engine.cli.installation import reading
from engine.cli.options import Csv, Data, Json
from engine.cli.output import Form, form_of, print_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.admin.failures import FailureGroup, Share

RESULTS = ("failed", "sent", "waiting", "cancelled")  # of an e-mail


def failures(as_json: Json = False, as_csv: Csv = False, data: Data = None) -> None:
    """Print what failed in the last hour, by reply.

    Also what these e-mails are now: still failed, sent since, or waiting.
    `varsel emails list --state failed --failure GROUP` lists those of a group; `varsel emails retry` tries them again.
    """
    from engine.admin.failures import failures as groups

    with reading(data) as connection:
        found = groups(connection)
    form = form_of(as_json, as_csv)
    shown = found if form is Form.JSON else rows(found)
    print_rows(form, "failures", shown, none="Nothing failed in the last hour.")


def rows(groups: Sequence[FailureGroup]) -> list[dict[str, Any]]:
    """The groups as rows of a table."""
    return [
        asdict(group)
        | {
            "then": "tried again" if group.again else "failed",
            "now": _now(group),
            "domains": _shares(group.domains, group.more_domains),
            "relays": _shares(group.relays),
            "creators": _shares(group.creators, group.more_creators),
        }
        for group in groups
    ]


def _now(group: FailureGroup) -> str:
    """What its e-mails are now."""
    if group.now is None:
        return ""
    shown = [f"{count:,} {name}" for name, count in asdict(group.now).items() if name in RESULTS and count]
    return ", ".join(shown) if group.now.whole else f"of the newest {group.now.emails:,}: {', '.join(shown)}"


def _shares(shares: Sequence[Share], more: int = 0) -> str:
    named = [f"{share.name or 'others'} {share.count:,}" for share in shares]
    return ", ".join([*named, *([f"{more} more"] if more else [])])
