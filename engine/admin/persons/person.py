"""A person, by an e-mail address: how it may be written in rows and texts."""

from __future__ import annotations

import hmac
import json
import re
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import quote

from sqlalchemy import func, or_

from engine.errors import Invalid
from engine.text.addresses import compared_address, read_address, spelled
from engine.text.language import _

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import ColumnElement

ERASED = "erased"  # what stands in texts in place of the address
_PLAIN = re.compile(r"[a-z0-9.-]")  # characters that are written in one way alone
_PURPOSE = b"varsel person 1"  # no other key follows from this


@dataclass(frozen=True)
class Person:
    """The person with this address, which `of` has read."""

    address: str

    @classmethod
    def of(cls, text: str) -> Person:
        """Invalid when the text is no address."""
        address = read_address(text)
        if address is None:
            raise Invalid({"address": [_("This is not a valid e-mail address.")]})
        return cls(address)

    def mark(self, key: str) -> str:
        """What the audit log calls the person: whoever has the address and the installation's key can make it, too."""
        own = hmac.digest(key.encode(), _PURPOSE, sha256)
        return hmac.digest(own, compared_address(self.address).encode(), sha256).hex()[:32]

    @cached_property
    def spellings(self) -> frozenset[str]:
        """The address as `lower` of a database makes it, in any case and with A-labels or without."""
        local, _, domain = self.address.rpartition("@")
        small = {f"{each}@{name}" for name in spelled(domain) for each in (local, local.lower())}
        return frozenset(small | {self.address.lower()})

    def has(self, address: str) -> bool:
        """Whether it is the person's address."""
        return "@" in address and compared_address(address) == compared_address(self.address)

    def may_stand_in(self, column: ColumnElement[str]) -> ColumnElement[bool]:
        """Whether a text may have the address: further ones than it stands in, never fewer."""
        local = self.address.rpartition("@")[0].lower()
        like = "".join(each if _PLAIN.fullmatch(each) else r"\_" if each == "_" else "%" for each in local)
        return or_(*(func.lower(column).like(f"%{like}{at}%", escape="\\") for at in ("@", r"\%40")))

    def stands_in(self, text: str) -> bool:
        """Whether a text has the address, in it or percent-encoded."""
        return self._pattern.search(text) is not None

    def taken_out(self, text: str) -> str:
        """The text without it."""
        return self._pattern.sub(ERASED, text)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        local, _, domain = self.address.rpartition("@")
        before, behind = _written({local}), _written(spelled(domain))
        return re.compile(rf"(?<![\w.+-])(?:{before})(?:@|%40)(?:{behind})(?![\w-]|\.\w)", re.IGNORECASE)


def _written(texts: Collection[str]) -> str:
    """A pattern of the texts as they are, as in JSON that is all ASCII, and percent-encoded."""
    ways = (str, lambda text: json.dumps(text)[1:-1], quote, lambda text: quote(text, safe="!$&'*+=~"))
    forms = {written(text) for text in texts for written in ways}
    return "|".join(sorted(map(re.escape, forms)))
