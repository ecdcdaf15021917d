"""The operators' OpenID provider, asked as sign-in asks it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
from pydantic import TypeAdapter, ValidationError

from engine.doctor.findings import Finding, ok, problem
from engine.runtime.authorities import why, with_file

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from engine.doctor.findings import Place

ANSWER_WITHIN = 5.0  # seconds
LARGEST = 1_000_000  # bytes of a discovery document
_DOCUMENT = TypeAdapter(dict[str, Any])
NEEDED = ("authorization_endpoint", "token_endpoint", "jwks_uri")
ADVICE = "Correct VARSEL_OIDC_ISSUER; until it answers, nobody signs in through it."


def provider(place: Place) -> Iterator[Finding]:
    """Whether VARSEL_OIDC_ISSUER is a provider of that name: else each sign-in is refused (OpenID Discovery, 4.3)."""
    name, issuer = "provider", place.config.oidc_issuer
    if issuer is None:
        return
    trusted = with_file(httpx.create_ssl_context(), place.config.issuer_ca_file, "issuer_ca_file")
    try:
        found = asyncio.run(_discovered(f"{issuer.rstrip('/')}/.well-known/openid-configuration", trusted))
    except ValidationError:
        yield problem(name, f"{issuer} does not answer as an OpenID provider (no JSON object)", ADVICE)
        return
    except TimeoutError:
        text = f"{issuer} does not answer as an OpenID provider (not within {ANSWER_WITHIN:g} s)"
        yield problem(name, text, ADVICE)
        return
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        yield problem(name, f"{issuer} does not answer as an OpenID provider ({why(error)})", ADVICE)
        return
    missing = [each for each in NEEDED if not isinstance(found.get(each), str)]
    if found.get("issuer") != issuer:
        text = f"{issuer} calls itself {str(found.get('issuer'))[:200]}: every sign-in would be refused"
        yield problem(name, text, "Set VARSEL_OIDC_ISSUER to what it calls itself, to the last character.")
    elif missing:
        yield problem(name, f"{issuer} names no {', '.join(missing)}", ADVICE)
    else:
        yield ok(name, f"operators can sign in through {issuer}")


async def _discovered(url: str, trusted: ssl.SSLContext) -> dict[str, Any]:
    """ValueError when the answer is no discovery document; TimeoutError when it is not complete in time."""
    content = b""
    headers = {"accept-encoding": "identity"}  # else a few compressed bytes could become many
    async with (
        asyncio.timeout(ANSWER_WITHIN),
        httpx.AsyncClient(timeout=None, verify=trusted) as client,  # noqa: S113 the line above has it
        client.stream("GET", url, headers=headers) as answer,
    ):
        if answer.status_code != httpx.codes.OK:
            msg = f"/.well-known/openid-configuration: {answer.status_code}"
            raise ValueError(msg)
        async for part in answer.aiter_raw():
            content += part
            if len(content) > LARGEST:
                msg = f"more than {LARGEST:,} bytes"
                raise ValueError(msg)
    return _DOCUMENT.validate_json(content)
