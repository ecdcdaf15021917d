"""The peer of intake: FastAPI, SQLAlchemy's async sessions and PyJWT; each order is committed before its answer.

`python bench/peers/orders.py JWKS DATABASE_URL PORT` serves it, in the environment of requirements.lock.
"""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID, uuid4

import jwt
import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from sqlalchemy import JSON, DateTime, event
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

JWKS, DATABASE_URL, PORT = sys.argv[1:]
SQLITE = DATABASE_URL.startswith("sqlite")
KEYS = {key.key_id: key.key for key in jwt.PyJWKSet.from_json(Path(JWKS).read_text()).keys}
# One connection writes an SQLite file faster than several that wait for each other's locks.
engine = create_async_engine(DATABASE_URL, pool_size=1 if SQLITE else 10, max_overflow=0)
sessions = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    """What the tables share."""


class Order(Base):
    """An order as it is stored."""

    __tablename__ = "orders"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    creator: Mapped[str] = mapped_column(index=True)
    senders_reference: Mapped[str | None] = mapped_column(index=True)
    created: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    subject: Mapped[str]
    body: Mapped[str]
    recipients: Mapped[list[dict[str, str]]] = mapped_column(JSON)


class _Posted(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)


class RecipientRequest(_Posted):
    """To whom."""

    email_address: str


class OrderRequest(_Posted):
    """An order as it is posted."""

    subject: str = Field(min_length=1, max_length=500)
    body: str = Field(min_length=1)
    recipients: list[RecipientRequest] = Field(min_length=1)
    senders_reference: str | None = None


async def caller(bearer: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> str:
    """The organisation that the token names; 401 if it is not valid. In the loop: a thread would cost more."""
    try:
        key = KEYS[jwt.get_unverified_header(bearer.credentials)["kid"]]
        claims: dict[str, Any] = jwt.decode(bearer.credentials, key, algorithms=["ES256"])
    except (jwt.InvalidTokenError, KeyError) as error:
        raise HTTPException(401, "The token is not valid.") from error
    return str(claims["sub"])


async def session() -> AsyncIterator[AsyncSession]:
    """A session of the request's own."""
    async with sessions() as opened:
        yield opened


async def add_order(
    request: OrderRequest,
    creator: Annotated[str, Depends(caller)],
    database: Annotated[AsyncSession, Depends(session)],
    response: Response,
) -> dict[str, str]:
    """Store an order."""
    order = Order(
        id=uuid4(),
        creator=creator,
        senders_reference=request.senders_reference,
        created=datetime.now(UTC),
        subject=request.subject,
        body=request.body,
        recipients=[recipient.model_dump() for recipient in request.recipients],
    )
    database.add(order)
    await database.commit()
    response.headers["Location"] = f"/notifications/api/v1/orders/{order.id}"
    return {"orderId": str(order.id)}


def make_durable(connection: Any, _record: object) -> None:
    """As Varsel's: the write-ahead log reaches the disk with every commit."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


@asynccontextmanager
async def lifespan(_app: object) -> AsyncIterator[None]:
    """Create the table."""
    if SQLITE:
        event.listen(engine.sync_engine, "connect", make_durable)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)
app.add_api_route("/notifications/api/v1/orders/email", add_order, methods=["POST"], status_code=202)

if __name__ == "__main__":
    uvicorn.run(app, port=int(PORT), loop="uvloop", http="httptools", access_log=False, log_level="warning")
