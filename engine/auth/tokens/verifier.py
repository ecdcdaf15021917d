"""Token → Caller, or Unauthenticated with the reason. PyJWT does the cryptography; its errors end here."""

from __future__ import annotations

import base64
import json
import re
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from math import inf
from typing import TYPE_CHECKING
from uuid import UUID

import jwt

from engine.auth.tokens.issuers import PlatformKeys
from engine.auth.tokens.key_sets import BearerKeys
from engine.auth.tokens.keys import ALGORITHMS
from engine.errors import Unauthenticated
from engine.models import Caller, is_test
from engine.settings import naming

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from engine.auth.tokens.keys import Key
    from engine.settings import Settings

MAX_TOKEN = 16 * 1024  # characters
MAX_CREATOR = 100  # characters of a creator's name
MAX_REMEMBERED = 4096  # verified tokens: some MB, and a repeat costs 1 µs instead of 100
MAX_TRIES = 8  # keys tried for a token without a kid: each costs about 100 µs

ORG_CLAIM = "urn:altinn:org"
APP_CLAIM = "urn:altinn:app"
USER_CLAIM = "urn:altinn:userid"
PARTY_CLAIM = "urn:altinn:partyid"
ORGANISATION_CLAIM = "urn:altinn:orgNumber"
DETAILS_CLAIM = "authorization_details"  # RFC 9396; holds system users
SCOPE_CLAIMS = ("urn:altinn:scope", "scope")

# Claims that decide nothing here are ignored: `iat` alone makes no token invalid (RFC 7519, 4.1.6).
OPTIONS: jwt.types.Options = {
    "require": ["exp"],
    "verify_iat": False,
    "verify_sub": False,
    "verify_jti": False,
    "enforce_minimum_key_length": True,
}

UNKNOWN_KEY = "the token was signed by no known key"
_PARTY = re.compile("[1-9][0-9]{0,9}")

# What PyJWT says, in words that repeat nothing of the token; the first match counts.
REASONS: tuple[tuple[type[jwt.PyJWTError], str], ...] = (
    (jwt.ExpiredSignatureError, "has expired"),
    (jwt.ImmatureSignatureError, "is not valid yet"),
    (jwt.InvalidIssuerError, "is of an issuer that is not allowed: VARSEL_ISSUERS has those that are"),
    (jwt.InvalidAudienceError, "is for another audience than those of VARSEL_AUDIENCES"),
    (jwt.MissingRequiredClaimError, "lacks a needed claim"),
    (jwt.PyJWTError, "is malformed"),
)


@dataclass(frozen=True, slots=True)
class Remembered:
    """A verified token: whose, until when (seconds since 1970, as in `exp`), and with which keys in force."""

    caller: Caller
    until: float
    keys: object


class Memory:
    """Tokens that verified, the oldest forgotten first; an entry ends with its token, and with any change of keys."""

    def __init__(self) -> None:
        self._entries: dict[str, Remembered] = {}

    def get(self, token: str, keys: object) -> Caller | None:
        """Whose token it is; None: verify it (again)."""
        entry = self._entries.get(token)
        return entry.caller if entry and entry.keys is keys and time.time() < entry.until else None

    def put(self, token: str, entry: Remembered) -> None:
        """Remember a token that verified."""
        self._entries.pop(token, None)
        if len(self._entries) >= MAX_REMEMBERED:
            del self._entries[next(iter(self._entries))]
        self._entries[token] = entry


@dataclass(frozen=True, slots=True)
class Rules:
    """What a token must say; None: anything. `longest` is its life, `leeway` how far clocks may differ."""

    issuers: Container[str] | None
    audiences: Sequence[str] | None
    longest: timedelta
    leeway: timedelta


class Verifier:
    """Verifies both kinds of tokens, for one event loop.

    Misconfigured when a key file cannot be used at the start.
    """

    def __init__(self, settings: Settings) -> None:
        longest, leeway = (timedelta(seconds=each) for each in (settings.max_token_lifetime, settings.token_leeway))
        self._bearer_rules = Rules(frozenset(settings.issuers) or None, settings.audiences or None, longest, leeway)
        self._platform_rules = Rules(None, None, longest, leeway)
        self._bearer_keys = BearerKeys(settings.jwks, settings.issuer_ca_file)
        with naming("platform_keys"):
            self._platform_keys = PlatformKeys(settings.platform_keys)
        self._bearers = Memory()
        self._platforms = Memory()

    async def follow(self) -> None:
        """Keep the keys up to date until cancelled."""
        await self._bearer_keys.follow()

    async def bearer(self, token: str) -> Caller:
        """Whose bearer token it is, with its scopes; Unauthenticated, or Unavailable while a key set does not answer.

        When no known key has signed it, this waits for key sets that are newer than the token.
        """
        caller = self._known_bearer(token)
        if caller is None:
            caller = await self._bearer_keys.search(partial(self._known_bearer, token))
        if caller is None:
            raise Unauthenticated(UNKNOWN_KEY)
        return caller

    def platform(self, token: str) -> Caller:
        """Whose PlatformAccessToken it is: the issuer, whose key must have signed it; Unauthenticated."""
        keys = self._platform_keys.current()
        caller = self._platforms.get(token, keys)
        if caller:
            return caller
        _, algorithm = _header(token)
        issuer = _part(token, 1).get("iss")
        if not isinstance(issuer, str):
            msg = "the token names no issuer"
            raise Unauthenticated(msg)
        candidates = [key for key in self._platform_keys.of(issuer) if algorithm in key.algorithms]
        verified = _verify(token, candidates, replace(self._platform_rules, issuers=(issuer,)))
        if verified is None:
            raise Unauthenticated(UNKNOWN_KEY)
        claims, until = verified
        app = _creator(claims.get(APP_CLAIM))
        caller = Caller(creator=issuer, scopes=frozenset(), platform=True, app=app)
        self._platforms.put(token, Remembered(caller, until, keys))
        return caller

    def _known_bearer(self, token: str) -> Caller | None:
        """Whose it is; None: no key that is known now has signed it."""
        keys = self._bearer_keys.current()
        caller = self._bearers.get(token, keys)
        if caller:
            return caller
        kid, algorithm = _header(token)
        candidates = [key for key in keys.get(kid, ()) if algorithm in key.algorithms]
        verified = _verify(token, candidates[:MAX_TRIES], self._bearer_rules)
        if verified is None:
            return None
        claims, until = verified
        caller = Caller(
            creator=_creator(claims.get(ORG_CLAIM)),
            scopes=_scopes(claims),
            platform=False,
            identity=_identity(claims),
            party=_party(claims.get(PARTY_CLAIM)),
        )
        self._bearers.put(token, Remembered(caller, until, keys))
        return caller


def _verify(token: str, candidates: Sequence[Key], rules: Rules) -> tuple[dict[str, object], float] | None:
    """Claims, and until when (seconds since 1970) the token may be remembered; None: none of the keys has signed it."""
    now = datetime.now(UTC)
    reason = None
    for key in candidates:
        if not key.valid[0] <= now < key.valid[1]:
            reason = "was signed by a key whose certificate is not valid now"
            continue
        try:
            claims = jwt.decode(
                token,
                key.public,
                algorithms=key.algorithms,
                options=OPTIONS | {"verify_aud": rules.audiences is not None},
                issuer=rules.issuers,
                audience=rules.audiences,
                leeway=rules.leeway,
            )
        except jwt.InvalidSignatureError:
            continue
        except jwt.PyJWTError as error:
            reason = next(words for kind, words in REASONS if isinstance(error, kind))
            if isinstance(error, jwt.MissingRequiredClaimError):
                reason += f": {error.claim}"
            break
        until, issued, since = claims["exp"], claims.get("iat", now.timestamp()), claims.get("nbf", 0)
        if not all(isinstance(each, int | float) for each in (until, issued, since)) or not abs(issued) < inf:
            reason = "is malformed"
        elif until > min(max(issued, 0), now.timestamp()) + (rules.longest + rules.leeway).total_seconds():
            reason = "lives longer than VARSEL_MAX_TOKEN_LIFETIME"
        else:
            return claims, min(until + rules.leeway.total_seconds(), key.valid[1].timestamp())
        break
    if reason is None:
        return None
    msg = f"the token {reason}"
    raise Unauthenticated(msg)


def _header(token: str) -> tuple[str | None, str]:
    """The `kid` and `alg` of a token that may be one; they only choose among known keys."""
    if len(token) <= MAX_TOKEN and token.isascii():
        header = _part(token, 0)
        kid, algorithm = header.get("kid"), header.get("alg")
        if isinstance(kid, str | None) and isinstance(algorithm, str) and algorithm in ALGORITHMS:
            return kid, algorithm
    msg = "the token is malformed, too long or of an unknown algorithm"
    raise Unauthenticated(msg)


def _part(token: str, index: int) -> dict[str, object]:
    """A part of a token, unverified; empty when it is malformed."""
    try:
        part = json.loads(base64.urlsafe_b64decode(token.split(".")[index] + "=="))
    except (ValueError, IndexError, RecursionError):
        return {}
    return part if isinstance(part, dict) else {}


def _creator(value: object) -> str | None:
    """A usable organisation name: not blank, and of printable characters, since it goes to pages and logs.

    Test keys alone stand for creators of tests.
    """
    good = isinstance(value, str) and bool(value.strip()) and len(value) <= MAX_CREATOR and value.isprintable()
    return str(value) if good and not is_test(str(value)) else None


def _identity(claims: dict[str, object]) -> str | None:
    """Who subscribes and reads: the first that the token names (events contract 6.1)."""
    system_users = claims.get(DETAILS_CLAIM)
    names = (
        ("org", claims.get(ORG_CLAIM)),
        ("user", claims.get(USER_CLAIM)),
        ("systemuser", _system_user(system_users)),
        ("organisation", claims.get(ORGANISATION_CLAIM)),
    )
    for kind, value in names:
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if (name := _creator(text)) and "/" not in name:
            return f"/{kind}/{name}"
    return None


def _party(value: object) -> str | None:
    """A party's number, as subjects have it."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return text if _PARTY.fullmatch(text) else None


def _system_user(details: object) -> str | None:
    """The first system user's id, a UUID that is not zero."""
    if isinstance(details, str):
        details = _parsed(details)
    entries = details if isinstance(details, list) else [details]
    for entry in entries:
        ids = entry.get("systemuser_id") if isinstance(entry, dict) else None
        first = ids[0] if isinstance(ids, list) and ids else ids
        with suppress(ValueError):
            found = UUID(first) if isinstance(first, str) else None
            if found and found.int:
                return str(found)
    return None


def _parsed(text: str) -> object:
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found


def _scopes(claims: dict[str, object]) -> frozenset[str]:
    """All scopes of all claims that may hold some: separated by spaces (RFC 8693, 4.2), or a list."""
    values = [claims.get(name) for name in SCOPE_CLAIMS]
    texts = [text for value in values for text in (value if isinstance(value, list) else [value])]
    return frozenset(scope for text in texts if isinstance(text, str) for scope in text.split())
