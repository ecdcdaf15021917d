"""What failed, in groups: counted by workers, carried by heartbeats, and a filter of the list of e-mails."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, insert, select, update

from engine.admin import jobs, kept
from engine.admin.actions import act, find
from engine.admin.aftermath import Aftermath, aftermath, keep
from engine.admin.failures import OTHERS, FailureGroup, Share, failures, of_relays
from engine.admin.lists import LARGEST, page
from engine.admin.overview import overview
from engine.admin.resources import AUDIT, EMAILS, JOBS
from engine.admin.sentences import plain
from engine.db.retention import prune_some
from engine.db.tables import aftermaths, attempt_sums, emails, wordings
from engine.models import EmailState
from engine.observability import sums
from engine.observability.heartbeat import Heartbeat, Kind
from engine.observability.sums import MOST, Ending, Sums
from scheduler import jobs as scheduler
from tests.helpers.clocks import clock_of
from tests.helpers.plans import plans, scans
from tests.helpers.relaying import Delivering, deliver
from tests.helpers.rows import add_email, add_order, now
from tests.servers.smtp import ScriptedSMTP
from tests.servers.smtp_script import Say

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from engine.db.store import Store
    from tests.servers.smtp_script import Step

UNKNOWN = "550 5.1.1 <address> no such user"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that other tests have counted."""
    monkeypatch.setattr(sums, "SUMS", Sums())
    monkeypatch.setattr("engine.email.outcomes.SUMS", sums.SUMS)


def answers(step: Step) -> Say | None:
    if step.phase == "rcpt" and "gone" in step.argument:
        return Say(550, f"5.1.1 {step.argument.removeprefix('TO:')} no such user")
    if step.phase == "rcpt" and "full" in step.argument:
        return Say(452, "4.2.2 mailbox full")
    return None


def accepted(_step: Step) -> Say | None:
    return None


def send(store: Store, addresses: dict[str, list[str]], script: Callable[[Step], Say | None] = answers) -> str:
    """Deliver e-mails, by creator, and write what was counted; returns the relay's name."""
    with store.write() as connection:
        for creator, theirs in addresses.items():
            seq = add_order(connection, creator=creator, state="Processed")
            for address in theirs:
                add_email(connection, seq, address=address, creator=creator)
    return work_off(store, script)


def work_off(store: Store, script: Callable[[Step], Say | None]) -> str:
    """Deliver what is due, and write what was counted; returns the relay's name."""

    async def work(delivering: Delivering) -> None:
        await delivering.run()

    beating = Heartbeat(store, Kind("worker"))
    beating.start()
    with ScriptedSMTP(script) as server:
        deliver(store, server.url, work)
    beating.stop()
    return f"127.0.0.1:{server.port}"


def retry(store: Store, *, most: int = LARGEST) -> None:
    """Try again what has failed, the newest first."""
    with store.write() as connection:
        failed = page(connection, EMAILS, {"state": "failed"}, size=most).items
        act(connection, find("emails", "retry"), [row["id"] for row in failed], None)


def listed(store: Store, **given: str) -> int:
    with store.read() as connection:
        return len(page(connection, EMAILS, given, size=LARGEST).items)


def groups(store: Store) -> list[FailureGroup]:
    with store.read() as connection:
        return list(failures(connection))


def test_failures_are_grouped_by_reply_with_their_domains_relays_and_creators(store: Store) -> None:
    ours = [f"gone{n}@{domain}" for n, domain in enumerate(("a.no", "a.no", "b.no", "c.no", "d.no"))]
    relay = send(store, {"ttd": [*ours, "full@a.no", "kari@a.no"], "skd": ["gone@a.no"]})
    gone, full = groups(store)
    assert (gone.said, gone.count, gone.again) == (UNKNOWN, 6, False)
    assert gone.domains == [Share("a.no", 3), Share("b.no", 1), Share("c.no", 1)]
    assert (gone.more_domains, gone.more_creators) == (1, 0)
    assert gone.relays == [Share(relay, 6)]
    assert gone.creators == [Share("ttd", 5), Share("skd", 1)]
    assert (full.said, full.count, full.again) == ("452 4.2.2 mailbox full", 1, True)
    with store.read() as connection:
        assert of_relays(connection) == {relay: (1, 1, 6)}
        seen = overview(connection)
    assert (sum(seen["hour"]["emails.failed"]), sum(seen["hour"]["emails.accepted"])) == (6, 1), "both count the same"


def test_a_group_is_a_filter_of_the_list_of_e_mails(store: Store) -> None:
    relay = send(store, {"ttd": ["gone1@a.no", "gone2@b.no", "full@a.no", "kari@a.no"]})
    gone, full = (group.failure for group in groups(store))

    def listed(**given: str) -> set[str]:
        with store.read() as connection:
            return {row["address"] for row in page(connection, EMAILS, given).items}

    assert listed(state="failed", failure=gone, failed="1h") == {"gone1@a.no", "gone2@b.no"}
    assert listed(state="failed", failure=gone, recipient="@b.no") == {"gone2@b.no"}
    assert listed(state="retrying", failure=full, failed="1h") == {"full@a.no"}
    assert listed(state="failed", relay=relay) == {"gone1@a.no", "gone2@b.no"}
    assert listed(state="failed", relay="elsewhere:25") == set()
    assert listed(failure=gone, failed=(now() + timedelta(minutes=5)).isoformat()) == set()


def test_a_job_for_a_group_and_its_line_in_the_log_say_what_was_answered(store: Store) -> None:
    send(store, {"ttd": ["gone1@a.no"]})
    [gone] = groups(store)
    with store.write() as connection:
        jobs.start(connection, "anna", find("emails", "retry"), {"failure": gone.failure})
        jobs.start(connection, "anna", find("emails", "retry"), {"failure": "0123456789ab"})
    with store.read() as connection:
        unknown, known = page(connection, JOBS, {}).items
        said = [plain(line) for line in page(connection, AUDIT, {}).items]
    assert (known["filter"], known["failed_with"]) == ({"failure": gone.failure}, UNKNOWN)
    assert unknown["failed_with"] is None
    assert said[1].endswith(f"narrowed to failure group {UNKNOWN}")
    assert said[0].endswith("narrowed to failure group 0123456789ab")


def test_a_group_tells_what_its_e_mails_are_now_and_when_it_is_settled(store: Store) -> None:
    send(store, {"ttd": [f"gone{n}@a.no" for n in range(5)]})
    [gone] = groups(store)
    assert (gone.now, gone.settled) == (Aftermath(5, 0, 0, 0, lately=5, whole=True), False)
    retry(store, most=2)
    [gone] = groups(store)
    assert (gone.now, gone.settled) == (Aftermath(3, 0, 2, 0, lately=3, whole=True), False)
    work_off(store, accepted)
    [gone] = groups(store)
    assert gone.now == Aftermath(3, 2, 0, 0, lately=3, whole=True)
    its = {"failure": gone.failure, "failed": "1h"}
    assert [listed(store, state=state, **its) for state in ("failed", "Succeeded", "waiting")] == [3, 2, 0]
    retry(store)
    [gone] = groups(store)
    assert (gone.now, gone.settled) == (Aftermath(0, 2, 3, 0, lately=0, whole=True), True), "nothing is left to do"
    work_off(store, answers)
    [gone] = groups(store)
    assert (gone.now, gone.settled) == (Aftermath(3, 2, 0, 0, lately=3, whole=True), False), "it failed again"
    assert (gone.emails, gone.count) == (5, 8), "each e-mail counts once, and each attempt"


def test_a_group_that_is_tried_again_by_itself_is_settled_when_none_waits(store: Store) -> None:
    send(store, {"ttd": ["full1@a.no", "full2@a.no", "gone@a.no"]})
    gone, full = groups(store)
    assert (full.said, full.again, full.settled) == ("452 4.2.2 mailbox full", True, False)
    assert full.now == Aftermath(0, 0, 2, 0, lately=0, whole=True)
    with store.write() as connection:
        connection.execute(update(emails).values(due_at=now()).where(emails.c.due_at.is_not(None)))
    work_off(store, accepted)
    first, last = groups(store)
    assert (first.said, last.said) == (gone.said, full.said), "what is settled stands last"
    assert (last.now, last.settled) == (Aftermath(0, 2, 0, 0, lately=0, whole=True), True)


def test_of_a_large_group_the_newest_are_looked_at_and_small_ones_as_a_whole(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.admin.aftermath.LOOKED_AT", 7)
    send(store, {"ttd": [*(f"gone{n}@a.no" for n in range(9)), "full1@a.no"]})
    gone, full = groups(store)
    assert (gone.now, gone.emails) == (Aftermath(6, 0, 0, 0, lately=6, whole=False), 9)
    assert full.now == Aftermath(0, 0, 1, 0, lately=0, whole=True)
    retry(store)
    work_off(store, accepted)
    gone = next(group for group in groups(store) if not group.again)
    assert (gone.now, gone.settled) == (Aftermath(0, 6, 0, 0, lately=0, whole=False), False), "others may be failed"
    monkeypatch.setattr("engine.admin.aftermath.FEW", 6)
    scheduler.look_up_failed(clock_of(store))
    gone = next(group for group in groups(store) if not group.again)
    assert (gone.now, gone.settled) == (Aftermath(0, 9, 0, 0, lately=0, whole=True), True), "the clock looks further"


def test_what_the_clock_has_looked_up_of_many_is_told_while_it_is_new(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.admin.aftermath.FEW", 4)
    clock = clock_of(store)
    send(store, {"ttd": [f"gone{n}@a.no" for n in range(4)]})
    scheduler.look_up_failed(clock)
    with store.read() as connection:
        assert connection.execute(select(aftermaths)).all() == [], "so few are looked at by everybody"
    send(store, {"ttd": ["gone4@a.no"]})
    scheduler.look_up_failed(clock)
    before = groups(store)
    assert before[0].now == Aftermath(5, 0, 0, 0, lately=5, whole=True)
    retry(store)
    work_off(store, accepted)
    scheduler.look_up_failed(clock)  # another clock has just done it
    assert groups(store) == before
    send(store, {"ttd": ["full@a.no"]})
    assert groups(store)[1].now == Aftermath(0, 0, 1, 0, lately=0, whole=True), "nobody has looked at this group yet"
    later(store, scheduler.KEEP_EVERY)
    scheduler.look_up_failed(clock)
    assert groups(store)[-1].now == Aftermath(0, 5, 0, 0, lately=0, whole=True)
    later(store, kept.NEW)
    send(store, {"ttd": ["gone5@a.no"]})
    assert groups(store)[0].now == Aftermath(1, 5, 0, 0, lately=1, whole=True), "no clock has looked for a while"
    assert (scheduler.look_up_failed, scheduler.KEEP_EVERY) in scheduler.JOBS


def test_a_group_that_was_settled_is_looked_at_again_when_one_more_fails_and_another_when_it_has_grown(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.admin.aftermath.FEW", 4)
    send(store, {"ttd": [f"gone{n}@a.no" for n in range(5)]})
    retry(store)
    work_off(store, accepted)
    scheduler.look_up_failed(clock_of(store))
    [gone] = groups(store)
    assert (gone.now, gone.settled) == (Aftermath(0, 5, 0, 0, lately=0, whole=True), True)
    send(store, {"ttd": ["gone5@a.no"]})
    [gone] = groups(store)
    assert (gone.now, gone.settled) == (Aftermath(1, 5, 0, 0, lately=1, whole=True), False)
    send(store, {"ttd": [f"gone{n}@a.no" for n in range(6, 14)]})
    later(store, scheduler.KEEP_EVERY)
    scheduler.look_up_failed(clock_of(store))
    send(store, {"ttd": ["gone14@a.no"]})
    [gone] = groups(store)
    assert (gone.now, gone.count) == (Aftermath(9, 5, 0, 0, lately=9, whole=True), 15), (
        "so few more are no other picture"
    )
    send(store, {"ttd": ["gone15@a.no"]})
    [gone] = groups(store)
    assert gone.now == Aftermath(11, 5, 0, 0, lately=11, whole=True)


def test_what_the_clock_has_seen_of_a_group_is_not_replaced_by_a_look_at_another_of_the_same_words(
    store: Store,
) -> None:
    send(store, {"ttd": ["gone0@a.no"]})
    [gone] = groups(store)
    many = Aftermath(9_000, 0, 0, 0, lately=0, whole=True)
    with store.write() as connection:
        keep(connection, now(), {(gone.failure, False): (9_000, many)})
        found = aftermath(connection, {(gone.failure, False): 9_000, (gone.failure, True): 1})
        assert found == {(gone.failure, False): many}
        keep(connection, now(), {})
        assert connection.execute(select(aftermaths)).all() == []


def later(store: Store, than: timedelta) -> None:
    """So much time passes after what the clock has looked up."""
    with store.write() as connection:
        connection.execute(update(aftermaths).values(at=now() - than))


@pytest.mark.dialects
def test_what_became_of_groups_is_read_by_indexes(store: Store) -> None:
    with store.read() as connection:
        for said, plan in plans(connection, lambda: aftermath(connection, {("a" * 12, False): 1, ("b" * 12, True): 9})):
            assert scans(plan, "email_attempts", "emails") == [], said
            assert "ix_email_attempts_failure" in plan


@pytest.mark.dialects
@pytest.mark.parametrize(("rare", "index"), [(9, "ix_email_attempts_failure"), (0, "ix_email_attempts_email_seq")])
def test_a_list_of_few_that_failed_alike_is_found_by_their_index_and_one_of_many_is_looked_through(
    store: Store, monkeypatch: pytest.MonkeyPatch, rare: int, index: str
) -> None:
    send(store, {"ttd": ["gone1@a.no", "gone2@b.no", "kari@a.no"]})
    [gone] = groups(store)
    monkeypatch.setattr("engine.admin.lookups.RARE", rare)
    given = {"state": "failed", "failure": gone.failure, "failed": "1h"}
    assert listed(store, **given) == 2
    with store.read() as connection:
        asked = plans(connection, lambda: page(connection, EMAILS, given))
        [plan] = [plan for said, plan in asked if said.replace('"', "").startswith("SELECT emails.id AS key")]
        assert [each for each in ("failure", "email_seq") if f"ix_email_attempts_{each}" in plan] == [
            index.removeprefix("ix_email_attempts_")
        ]


@pytest.mark.dialects
def test_those_of_many_that_failed_alike_are_counted_by_their_index(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(store, {"ttd": ["gone1@a.no", "gone2@b.no", "kari@a.no"]})
    [gone] = groups(store)
    monkeypatch.setattr("engine.admin.lookups.RARE", 0)
    given = {"state": "failed", "failure": gone.failure, "failed": "1h"}
    with store.read() as connection:
        assert jobs.matching(connection, find("emails", "retry"), given).number == 2
        asked = plans(connection, lambda: jobs.matching(connection, find("emails", "retry"), given))
        [plan] = [plan for said, plan in asked if said.startswith("SELECT count(*)") and "address" in said]
    assert "ix_email_attempts_failure" in plan


def add(connection: Connection, ago: timedelta) -> None:
    row = {"outcome": "rejected", "failure": "a" * 12, "relay": "relay:25", "domain": "a.no", "creator": "ttd"}
    connection.execute(insert(attempt_sums).values(row | {"at": now() - ago, "count": 1}))


def test_a_group_tells_since_when_no_hour_was_without_it(store: Store) -> None:
    counts = {Ending("rejected", "a" * 12, "relay:25", "a.no", "ttd"): 1}
    with store.write() as connection:
        sums.add(connection, counts, {"a" * 12: "550 no"})
        for seen, since in ((timedelta(minutes=50), timedelta(hours=5)), (timedelta(minutes=70), timedelta(0))):
            was = {"seen": now() - seen, "since": now() - timedelta(hours=5)}
            connection.execute(update(wordings).values(was))
            sums.add(connection, counts, {"a" * 12: "550 no"})
            [group] = failures(connection)
            assert group.said == "550 no"
            assert now() - group.since - since < timedelta(minutes=5)
            assert now() - group.last < timedelta(minutes=5)
        assert group.count == 3


def test_endings_that_are_too_many_are_not_told_apart(store: Store) -> None:
    beating = Heartbeat(store, Kind("worker"))
    for number in range(5 * MOST):
        sums.SUMS.count(Ending("rejected", f"{number % 150:012x}", "relay:25", f"{number}.no", "ttd"), "text")
    beating.start()
    beating.stop()
    with store.read() as connection:
        rows = connection.execute(select(func.count()).select_from(attempt_sums)).scalar_one()
        total = connection.scalar(select(func.sum(attempt_sums.c["count"])))
        found = failures(connection)
    assert total == 5 * MOST
    assert MOST < rows <= 2 * MOST + 1
    assert {group.said for group in found} == {"text", OTHERS}


def test_old_sums_are_removed(store: Store) -> None:
    with store.write() as connection:
        add(connection, timedelta(hours=30))
        add(connection, timedelta(hours=3))
        prune_some(connection, timedelta(days=90))
        assert connection.scalar(select(func.count()).select_from(attempt_sums)) == 1
        assert failures(connection) == []


def wave(store: Store) -> tuple[str, str, str]:
    """What is said of an unusual rate: its level, the numbers, and what follows them."""
    with store.read() as connection:
        [told] = [each for each in overview(connection)["findings"] if "Unusually" in each["text"]]
    said, _, rest = told["text"].partition(f". Most often: {UNKNOWN}")
    return told["level"], said, rest


def test_a_wave_that_somebody_has_seen_to_is_no_problem_any_more(store: Store) -> None:
    send(store, {"ttd": [f"gone{n}@a.no" for n in range(12)]})
    fail = "Unusually many e-mails fail: 12 in the last 10 minutes, 100 % of those that ended; 0 % is usual"
    assert wave(store) == ("problem", fail, "")
    retry(store, most=10)
    assert wave(store) == ("problem", fail, ". 2 of these e-mails are still failed")
    retry(store)
    over = fail.replace("fail:", "failed:")
    assert wave(store) == ("warning", over, ". None of these e-mails is still failed")
    work_off(store, answers)
    assert wave(store)[0] == "problem", "they failed again"
    retry(store)
    work_off(store, accepted)
    level, said, rest = wave(store)
    assert (level, rest) == ("warning", ". None of these e-mails is still failed")
    assert said.startswith("Unusually many e-mails failed: 24 in the last 10 minutes, 67 % of those that ended")


def test_a_wave_of_refusals_is_said_with_its_words(store: Store) -> None:
    send(store, {"ttd": [f"gone{n}@a.no" for n in range(12)]})
    with store.read() as connection:
        [told] = [each for each in overview(connection)["findings"] if "fail" in each["text"]]
        failed = page(connection, EMAILS, told["see"]["filter"]).items
    begins = "Unusually many e-mails fail: 12 in the last 10 minutes, 100 % of those that ended; 0 % is usual"
    assert told["text"] == f"{begins}. Most often: {UNKNOWN}"
    assert [row["state"] for row in failed] == [EmailState.FAILED_BOUNCED] * 12
