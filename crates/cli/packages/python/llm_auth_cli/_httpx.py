"""The token on the requests of httpx, which most Python SDKs are built on."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncGenerator, Generator, Sequence
from typing import Any
from urllib.parse import urlsplit

from ._command import Credential, credential
from ._errors import LlmAuthError

#: httpx2 continues httpx; SDKs use either.
_LIBRARIES = ("httpx2", "httpx")

#: Where SDKs put a key of their own. A request carries one credential: the token.
_OTHER_KEYS = ("x-api-key", "x-goog-api-key", "api-key")

_PORTS = {"http": 80, "https": 443}


def httpx_auth(
    provider: str,
    *,
    account: str | None = None,
    min_validity: int | None = None,
    verify: bool = False,
    api_base: str | None = None,
    flags: Sequence[str] = (),
) -> Any:
    """An ``httpx.Auth`` (and ``httpx2.Auth``) for clients, synchronous and asynchronous.

    It puts the token, and the further headers of the provider, on requests to the origin of the
    session's API, and on no others. After a 401 from there it names the token to the command as
    refused, and repeats the request once with the new one, if the body can be sent again.

    Args:
        provider: A provider, such as ``"qwen"``, or the name of a server of your own.
        account: One of several accounts; by default the current one.
        min_validity: How long the token must remain valid, in seconds; 60 by default.
        verify: Ask the API before a request whether it accepts the token (once in 3 seconds), for
            APIs that do not report a rejected token with 401, such as MiniMax's.
        api_base: The URL of the API, for a server of which the command knows none. If it knows
            one of another origin, requests fail with `LlmAuthError`.
        flags: Further flags of ``llm-auth token``.

    Raises:
        ImportError: if neither httpx nor httpx2 is installed.
    """
    modules = _installed()
    replayable = tuple(module.ByteStream for module in modules)

    def find(refused: str | None = None) -> Credential:
        return credential(
            provider,
            account=account,
            min_validity=min_validity,
            refused=refused,
            verify=verify and refused is None,
            flags=flags,
        )

    def sign(request: Any, found: Credential) -> bool:
        if origin_of(str(request.url)) != _api_origin(found, api_base):
            return False
        for name in _OTHER_KEYS:
            request.headers.pop(name, None)
        for name, value in found.headers.items():
            request.headers[name] = value
        request.headers["Authorization"] = f"Bearer {found.access_token}"
        return True

    def is_refused(request: Any, response: Any) -> bool:
        # A redirect may have led elsewhere.
        return (
            response.status_code == 401
            and origin_of(str(response.url)) == origin_of(str(request.url))
            and isinstance(request.stream, replayable)
        )

    class SessionAuth(*(module.Auth for module in modules)):  # type: ignore[misc]
        def sync_auth_flow(self, request: Any) -> Generator[Any, Any, None]:
            found = find()
            signed = sign(request, found)
            response = yield request
            if signed and is_refused(request, response):
                new = find(refused=found.access_token)
                if new.access_token != found.access_token and sign(request, new):
                    yield request

        async def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]:
            found = await asyncio.to_thread(find)
            signed = sign(request, found)
            response = yield request
            if signed and is_refused(request, response):
                new = await asyncio.to_thread(find, refused=found.access_token)
                if new.access_token != found.access_token and sign(request, new):
                    yield request

    return SessionAuth()


def origin_of(url: str | None) -> str:
    """Scheme, host and port; empty if it is no URL of a server."""
    try:
        parts = urlsplit(url or "")
        port = parts.port or _PORTS[parts.scheme]
    except (KeyError, ValueError):
        return ""
    return f"{parts.scheme}://{_bracketed(parts.hostname or '')}:{port}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _api_origin(found: Credential, api_base: str | None) -> str:
    known, named = origin_of(found.api_base), origin_of(api_base)
    who = f"{found.provider} ({found.account})"
    if not (known or named):
        raise LlmAuthError(
            f"{who}: the session names no API", advice="pass its URL as `api_base`"
        )
    if known and named and known != named:
        raise LlmAuthError(
            f"{who}: the token is for the API at {known}, not for {named}",
            advice="leave `api_base` out",
        )
    return known or named


def _installed() -> list[Any]:
    found = []
    for name in _LIBRARIES:
        try:
            found.append(importlib.import_module(name))
        except ImportError:
            pass
    if not found:
        raise ImportError("httpx_auth() needs httpx or httpx2: install one of them")
    return found
