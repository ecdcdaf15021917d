"""A backup under load, and its restore: nothing that was answered is missing, and nothing is sent twice unasked."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import redis

from engine.db.store import Store
from engine.models import EmailState
from engine.queue.marks import Memory
from engine.queue.pauses import in_force
from tests.helpers.beats import beat
from tests.helpers.command import process
from tests.helpers.ledger import Ledger
from tests.helpers.rows import add_email, add_order
from tests.helpers.waiting import wait_for
from tests.servers.installation import API, order
from tests.servers.postgres import Postgres, program
from tests.servers.redis import Redis
from tests.servers.site import Site

USER = "varsel_app"  # and its database; the document says varsel, which is these servers' superuser
ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "operating.md"
ROLES = ROOT / "deploy" / "postgresql" / "roles.sql"


def test_a_backup_under_load_is_restored_with_all_that_was_answered_before_it(tmp_path: Path) -> None:
    folder, target = tmp_path / "data", tmp_path / "backup.db"
    data: dict[str, Any] = {"data": str(folder)}
    answered: list[str] = []
    enough = threading.Event()

    with Site(folder, worker_processes=1) as site:

        def post() -> None:
            while not enough.is_set():
                address = f"kari.{len(answered)}@example.no"
                site.post(address)
                answered.append(address)

        posting = threading.Thread(target=post)
        posting.start()
        try:
            wait_for(lambda: len(answered) >= 50)
            before = list(answered)
            made = process("backup", target, **data)
            after = len(answered)
            wait_for(lambda: len(answered) > after)
        finally:
            enough.set()
            posting.join()
        assert made.returncode == 0, made.stderr
        refused = process("restore", target, **data)
        assert refused.returncode == 5
        assert f"{folder}/varsel.db is in use" in refused.stderr
        site.settle()

    done = process("restore", target, **data)
    assert done.returncode == 0, done.stderr
    assert "Its lanes are paused" in done.stdout
    with Site(folder, worker_processes=1) as site:
        ordered = {
            address for row in site.ledger.orders() for address in re.findall(r"kari\.\d+@example\.no", str(row))
        }
        assert set(before) <= ordered
        assert site.relay.messages == []
        assert "Due when the newer database was last seen" in process("restored", **data).stdout
        assert process("restored", "--resume", "--yes", **data).returncode == 0
        site.settle()
        assert set(before) <= site.ledger.emails(EmailState.SUCCEEDED).keys()


def test_a_database_that_is_deleted_under_its_processes_takes_nothing_in_until_it_is_restored(tmp_path: Path) -> None:
    folder, target = tmp_path / "data", tmp_path / "backup.db"
    data: dict[str, Any] = {"data": str(folder)}
    with Site(folder, worker_processes=1) as site:
        site.post("before@example.no")
        site.settle()
        assert process("backup", target, **data).returncode == 0
        for path in folder.glob("varsel.db*"):
            path.unlink()
        assert site.client.post(f"{API}/orders/email", json=order("lost@example.no")).status_code == 503
        assert site.client.get("/readyz").status_code == 503
        assert not (folder / "varsel.db").exists()

        done = process("restore", target, **data)  # nothing tells it any more of those who run
        assert done.returncode == 0, done.stderr
        wait_for(lambda: site.client.get("/readyz").status_code == 200)
        assert process("restore", target, **data).returncode == 5  # they are told of again
        site.post("after@example.no")
        assert process("restored", "--resume", "--yes", **data).returncode == 0
        with Ledger(folder) as ledger:
            wait_for(lambda: ledger.emails(EmailState.SUCCEEDED).keys() == {"before@example.no", "after@example.no"})


def test_postgresql_is_backed_up_and_restored_as_the_document_says(tmp_path: Path) -> None:
    """Restore with the documented rights, into the same database and on another server."""
    document = DOCUMENT.read_text()
    dump, restore = re.findall(r"^    (pg_(?:dump|restore) .+)$", document, re.MULTILINE)
    assert [dump.split()[0], restore.split()[0]] == ["pg_dump", "pg_restore"]
    roles = re.sub(r"\bvarsel\b", USER, ROLES.read_text())

    with Postgres() as first, Postgres() as second, Redis(tmp_path) as cache, redis.Redis.from_url(cache.url) as client:
        perform(first, roles)
        owner, url = addresses(first)
        assert process("migrate", database_url=owner).returncode == 0
        with closing(Store(url)) as store:
            beat(store, Memory(client))
            add(store, "before@example.no")
            run(dump, tmp_path, owner)
            add(store, "after@example.no")
        run(restore, tmp_path, owner)
        perform(second, roles.partition("\\connect")[0])  # the grants are in the backup
        run(restore, tmp_path, addresses(second)[0])
        for url in (addresses(first)[1], addresses(second)[1]):
            with Ledger(url) as ledger:
                assert ledger.emails().keys() == {"before@example.no"}
            client.flushall()  # nothing remembers
            assert "1 e-mail\n" in process("restored", "--pause", database_url=url).stdout
            with closing(Store(url)) as store:
                add(store, "later@example.no")
                beat(store, Memory(client))
                with store.read() as connection:
                    assert in_force(connection).lanes == {"orders", "emails", "webhooks"}


def perform(server: Postgres, script: str) -> None:
    own = os.environ | {"OWNER": "the owner's password", "APP": "the processes' password"}
    psql = [program("psql"), "--quiet", server.address("postgres")]
    subprocess.run(psql, input=script, env=own, check=True, text=True)


def addresses(server: Postgres) -> tuple[str, str]:
    """The addresses of the database, for its owner and for the processes' user."""
    url = server.address(USER)
    return url.replace("varsel@", "varsel_owner@"), url.replace("varsel@", f"{USER}@")


def run(command: str, folder: Path, url: str) -> None:
    given = os.environ | {"PATH": f"{Path(program('pg_dump')).parent}:{os.environ['PATH']}", "VARSEL_DATABASE_URL": url}
    done = subprocess.run(["sh", "-c", command], cwd=folder, env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_backup_and_restore_name_postgresqls_own_tools(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.database()
    (tmp_path / "dump").touch()
    for command, tool in {"backup": "pg_dump", "restore": "pg_restore"}.items():
        ended = process(command, tmp_path / "dump", database_url=url)
        assert ended.returncode == 1
        assert f"{tool} does it" in ended.stderr


def add(store: Store, address: str) -> None:
    with store.write() as connection:
        add_email(connection, add_order(connection), address=address)
