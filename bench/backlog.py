"""A backlog: as many due e-mails as one likes, copied in SQL from those of a few orders that were really posted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Text, Uuid, cast, func, insert, literal, select, text, type_coerce

from bench import posts
from bench.processes import wait_until
from engine.admin.pausing import pause, resume
from engine.db.dialects import Now
from engine.db.store import Store
from engine.db.tables import emails, orders
from engine.models import EmailState
from engine.queue.fairness import STEP

if TYPE_CHECKING:
    from typing import Self

    from bench.varsel import Varsel

WHO = "the benchmark"
PER_ORDER = 10_000  # e-mails
_FIRST = 8_000_000_000_000_000  # of the second halves of identifiers, as decimal digits that are hexadecimal ones, too


class Backlog:
    """What creators have waiting. No e-mail is sent until `release`."""

    def __init__(self, varsel: Varsel) -> None:
        self._varsel = varsel
        self._posted = 0

    def __enter__(self) -> Self:
        self._store = Store(self._varsel.database_url)
        with self._store.write() as connection:
            pause(connection, WHO, "lane", "emails")
        return self

    def __exit__(self, *_: object) -> None:
        self._store.close()

    def post(self, creator: int, count: int) -> None:
        """Orders of one recipient each, of a creator by its number."""
        client = posts.Client(self._varsel.port, self._varsel.tokens[creator])
        for number in range(count):
            client.post(posts.html_order(number, [f"first{number}@{domain(creator)}"]))
        self._posted += count
        wait_until(self._is_generated, "the orders' e-mails")

    def copy(self, creator: int, times: int) -> None:
        """Make so many due e-mails of each that `post` made."""
        numbers = select(literal(1, BigInteger).label("n")).cte("numbers", recursive=True)
        numbers = numbers.union_all(select(numbers.c.n + 1).where(numbers.c.n < times))
        number, order = cast(literal(_FIRST, BigInteger) + numbers.c.n, Text), cast(emails.c.order_seq, Text)
        first_half = func.substr(func.replace(cast(emails.c.id, Text), "-", ""), 1, 16)
        values = {column.name: column for column in emails.c if column is not emails.c.seq} | {
            "id": cast(first_half + number, Uuid),
            "address": literal("copy") + number + "." + order + f"@{domain(creator)}",
            "state": literal(EmailState.NEW),
            "due_at": Now(),
            "rank": type_coerce(Now(), BigInteger) + STEP * numbers.c.n,  # as generation.py makes them: ready at once
            "claim": literal(0),
            "unresolved": literal(0),
            "attempts": literal(0),
        }
        firsts = emails.c.address.like("first%") & (orders.c.creator == f"org{creator}")
        chosen = select(*values.values()).select_from(emails.join(orders)).join(numbers, literal(True)).where(firsts)
        with self._store.write(patient=True) as connection:
            connection.execute(insert(emails).from_select(list(values), chosen, include_defaults=False))

    def release(self) -> None:
        """Let the workers begin, with a database that has seen its rows for a while."""
        settle = "PRAGMA wal_checkpoint(TRUNCATE)" if self._store.dialect.name == "sqlite" else "ANALYZE"
        with self._store.engine.connect() as connection:
            connection.execute(text(settle))
        with self._store.write() as connection:
            resume(connection, WHO, "lane", "emails")

    def _is_generated(self) -> bool:
        with self._store.read() as connection:
            return connection.execute(select(func.count()).select_from(emails)).scalar_one() >= self._posted


def domain(creator: int) -> str:
    """The domain of all recipients of a creator's."""
    return f"org{creator}.example"
