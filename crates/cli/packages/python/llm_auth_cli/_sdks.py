"""What the SDKs of OpenAI, Anthropic and Google take as a credential."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from ._command import credential, token


def openai_key(
    provider: str,
    *,
    account: str | None = None,
    verify: bool = False,
    flags: Sequence[str] = (),
) -> Callable[[], str]:
    """A function for ``OpenAI(api_key=...)``, which calls it before each request.

    The SDK does not report a rejected token to it: pass `verify`, or `httpx_auth` as well, so that
    a 401 leads to a refresh. The arguments are those of `token`.
    """
    return lambda: token(provider, account=account, verify=verify, flags=flags)


def async_openai_key(
    provider: str,
    *,
    account: str | None = None,
    verify: bool = False,
    flags: Sequence[str] = (),
) -> Callable[[], Awaitable[str]]:
    """The same for ``AsyncOpenAI(api_key=...)``; the event loop does not wait for the command."""

    async def key() -> str:
        return await asyncio.to_thread(
            token, provider, account=account, verify=verify, flags=flags
        )

    return key


def anthropic_credentials(
    provider: str, *, account: str | None = None, flags: Sequence[str] = ()
) -> Callable[..., Any]:
    """A function for the ``credentials`` of ``Anthropic`` and ``AsyncAnthropic``.

    The SDK calls it again with ``force_refresh=True`` after a 401; the token that it handed out
    last is then refreshed, unless another process has refreshed it already. For MiniMax, which
    reports a rejected token with status 200, use `httpx_auth` with `verify` instead.
    """
    last: str | None = None

    def credentials(*, force_refresh: bool = False) -> Any:
        from anthropic.lib.credentials import AccessToken

        nonlocal last
        refused = last if force_refresh else None
        found = credential(provider, account=account, refused=refused, flags=flags)
        last = found.access_token
        ends = found.expires_at
        return AccessToken(token=last, expires_at=None if ends is None else int(ends.timestamp()))

    return credentials


def genai_client(
    provider: str = "gemini",
    *,
    account: str | None = None,
    api_base: str | None = None,
    flags: Sequence[str] = (),
    **options: Any,
) -> Any:
    """A ``google.genai.Client`` of the Gemini API that is called with the session's token.

    The arguments but `options`, which go to ``google.genai.Client``, are those of `httpx_auth`.
    """
    from google import genai

    from ._httpx import httpx_auth, origin_of

    auth = httpx_auth(provider, account=account, api_base=api_base, flags=flags)
    base = api_base or credential(provider, account=account, flags=flags).api_base
    http: Any = {
        "base_url": origin_of(base),
        "client_args": {"auth": auth},
        "async_client_args": {"auth": auth},
    }
    # The key is required; `httpx_auth` puts the token in its place.
    return genai.Client(api_key="llm-auth", http_options=http, **options)
