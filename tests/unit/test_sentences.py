"""What was done, in words."""

from __future__ import annotations

import ast
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from engine.admin.actions import ACTIONS as OF_ROWS
from engine.admin.actions import RELEASES
from engine.admin.masking import masked
from engine.admin.sentences import ACTIONS, Link, label, plain, sentence

ROOT = Path(__file__).parents[2]
AT = datetime(2026, 11, 29, 7, 0, tzinfo=UTC)
ORDER = "019a3f0e-7c1b-7000-8000-1a2b3c4d5e6f"


def line(who: str, action: str, target: str, **detail: Any) -> dict[str, Any]:
    return {"who": who, "action": action, "target": target, "detail": detail}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            line("anna", "pause", "domain/slow.example", reason="their server is down", until=AT),
            "anna paused mail to slow.example until 2026-11-29T07:00:00Z: their server is down",
        ),
        (line("cli:root", "pause", "lane/emails"), "root (command line) paused all e-mails"),
        (
            line("varsel", "pause-over", "creator/ttd", by="anna", at=AT),
            "Varsel resumed what ttd orders, since the pause that anna began 2026-11-29T07:00:00Z is over",
        ),
        (line("varsel", "pause", "subscriptions/12", reason="Gone."), "Varsel paused subscription 12: Gone."),
        (
            line("anna", "emails.retry", "jobs/7", filter={"state": "failed", "creator": "ttd"}, count=1200),
            "anna retried 1,200 e-mails, with job 7, narrowed to state failed, creator ttd",
        ),
        (line("ola", "orders.cancel", "jobs/8", filter={}, count=3), "ola cancelled 3 orders (all), with job 8"),
        (
            line("ola", "emails.release", "jobs/9", filter={"failed": "2026-11-29T08:00:00+01:00"}, count=1),
            "ola released 1 e-mail, with job 9, narrowed to failed since 2026-11-29T07:00:00Z",
        ),
        (line("ola", "export", "audit", filter={}, format="CSV"), "ola exported the audit log, as CSV"),
        (
            line("ola", "orders.resend", f"orders/{ORDER}", order=ORDER),
            "ola sent order …3c4d5e6f again to all, as order …3c4d5e6f",
        ),
        (
            line("ola", "orders.reschedule", f"orders/{ORDER}", to="2026-11-29T08:00:00+01:00"),
            "ola rescheduled order …3c4d5e6f to 2026-11-29T07:00:00Z",
        ),
        (
            line("anna", "create", "keys/7", kind="live", creator="ttd", name="billing"),
            "anna created key 7 of ttd (billing) (kind: live)",
        ),
        (line("/org/ttd", "retry", "subscriptions/12/deliveries/5"), "/org/ttd replayed delivery 5"),
        (
            line("anna", "resume", "subscriptions/1", times=3, last=AT),
            "anna resumed subscription 1 (3 times, the last 2026-11-29T07:00:00Z)",
        ),
        (
            line("kari", "export", "emails", filter={"state": "failed"}, format="CSV", rows=1200),
            "kari exported e-mails, narrowed to state failed, as CSV, 1,200 rows",
        ),
        (
            line("kari", "export", "audit", filter={}, format="CSV", rows=1),
            "kari exported the audit log, as CSV, 1 row",
        ),
        (
            line("anna", "sign-in", "console", source="file", **{"from": "10.0.0.1"}),
            "anna signed in (with a password) from 10.0.0.1",
        ),
        (line("anna", "some_day", "moon/1", why="a test"), "anna did some day to moon 1 (why: a test)"),
    ],
    ids=lambda given: given["action"] if isinstance(given, dict) else "",
)
def test_a_line_is_a_sentence(given: dict[str, Any], said: str) -> None:
    assert plain(given) == said


def test_names_and_things_lead_somewhere() -> None:
    given = line("a b&c", "orders.cancel", f"orders/{ORDER}")
    found = [(piece.text, piece.path) for piece in sentence(given) if isinstance(piece, Link)]
    assert found == [("a b&c", "audit?who=a%20b%26c"), ("order …3c4d5e6f", f"orders/{ORDER}")]


def test_what_is_masked_is_not_said() -> None:
    given = line("anna", "emails.retry", "jobs/7", filter={"recipient": "kari@example.no"}, count=1, reference="secret")
    assert "kari" not in plain(masked(given))
    assert "secret" not in plain(masked(given))


def test_every_action_has_its_words() -> None:
    written = {action.audited for action in OF_ROWS + RELEASES}
    for room in ("engine", "api", "scheduler"):
        for file in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("note", "note_consumer"):
                    action = node.args[2] if len(node.args) > 2 else None
                    written |= {str(action.value)} if isinstance(action, ast.Constant) else set()
    assert len(written) > 30
    assert written - ACTIONS.keys() == set()
    assert not [action for action in ACTIONS if re.search(r"[{}_.]", label(action).replace("…", ""))]
