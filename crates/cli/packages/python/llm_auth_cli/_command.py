"""Running the command that this package installs."""

from __future__ import annotations

import functools
import importlib.metadata
import json
import logging
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ._errors import BY_EXIT_CODE, BinaryNotFound, LlmAuthError

#: The command's warnings go here; they hold no token.
logger = logging.getLogger("llm_auth_cli")
logger.addHandler(logging.NullHandler())

_NAME = "llm-auth.exe" if os.name == "nt" else "llm-auth"


@dataclass(frozen=True)
class Credential:
    """A valid access token, and what a call of the API needs besides it."""

    access_token: str = field(repr=False)
    #: The provider, and the account there.
    provider: str
    account: str
    #: When the access token ends; ``None`` if it never does.
    expires_at: datetime | None
    #: The base URL of the API. ``None`` if the command knows none.
    api_base: str | None
    #: The headers of a call besides ``Authorization``.
    headers: Mapping[str, str]


@functools.lru_cache(maxsize=None)
def binary() -> str:
    """The path of the command that was installed with this package.

    Neither ``PATH`` nor a variable is read: another program of that name would receive refused
    tokens, and its output would be sent as a token.

    Raises:
        BinaryNotFound: if the package was installed without the command.
    """
    try:
        files = importlib.metadata.files("llm-auth-cli") or ()
    except importlib.metadata.PackageNotFoundError:
        # A copy of the package without its metadata.
        files = ()
    for file in files:
        if file.name == _NAME and (path := Path(file.locate())).is_file():
            return str(path.resolve())
    # `pip install --target DIR` moves the command to DIR/bin after it has recorded another place.
    path = Path(__file__).resolve().parent.parent / "bin" / _NAME
    if path.is_file():
        return str(path)
    raise BinaryNotFound(
        "this installation of llm-auth-cli does not contain the command llm-auth",
        advice="install it again with `pip install --force-reinstall llm-auth-cli`",
    )


def credential(
    provider: str,
    *,
    account: str | None = None,
    min_validity: int | None = None,
    refused: str | None = None,
    verify: bool = False,
    flags: Sequence[str] = (),
) -> Credential:
    """A valid access token with the API that it is for; the arguments are those of `token`.

    Raises:
        NotSignedIn: if the user must sign in (again).
        Temporary: if a refresh is necessary and failed, but may succeed later.
        LlmAuthError: if the command failed otherwise; see its subclasses.
    """
    line = [binary(), "token", "--json", *flags]
    if account is not None:
        line.append(f"--account={account}")
    if min_validity is not None:
        line.append(f"--min-validity={min_validity:d}")
    if refused is not None:
        # An argument could be seen by other users of the computer.
        line.append("--refused=-")
    if verify:
        line.append("--verify")
    # A provider that begins with a hyphen is no flag.
    found = _run([*line, "--", provider], refused)
    ms = found["expires_at_ms"]
    return Credential(
        access_token=found["access_token"],
        provider=found["vendor"],
        account=found["account"],
        expires_at=None if ms is None else datetime.fromtimestamp(ms / 1000, timezone.utc),
        api_base=found["api_base"],
        headers=found["headers"],
    )


def token(
    provider: str,
    *,
    account: str | None = None,
    min_validity: int | None = None,
    refused: str | None = None,
    verify: bool = False,
    flags: Sequence[str] = (),
) -> str:
    """A valid access token, refreshed if necessary.

    A valid token takes a few milliseconds and no request, so call this for each request.

    Args:
        provider: A provider, such as ``"qwen"``, or the name of a server of your own.
        account: One of several accounts; by default the current one.
        min_validity: How long the token must remain valid, in seconds; 60 by default.
        refused: A token that the API rejected with 401. It is refreshed only if it is still the
            stored one, so any number of callers cause one refresh.
        verify: Ask the API first whether it accepts the token (once in 3 seconds).
        flags: Further flags of ``llm-auth token``, such as ``("--region", "cn")``.

    Raises:
        NotSignedIn: if the user must sign in (again).
        Temporary: if a refresh is necessary and failed, but may succeed later.
        LlmAuthError: if the command failed otherwise; see its subclasses.
    """
    return credential(
        provider,
        account=account,
        min_validity=min_validity,
        refused=refused,
        verify=verify,
        flags=flags,
    ).access_token


def _run(line: list[str], refused: str | None) -> dict[str, Any]:
    hidden = 0
    if sys.platform == "win32":
        hidden = subprocess.CREATE_NO_WINDOW
    # Not `subprocess.run`, which kills the command if this thread is interrupted: a refresh that
    # has begun must be stored.
    with subprocess.Popen(
        line,
        stdin=subprocess.DEVNULL if refused is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        creationflags=hidden,
    ) as process:
        out, err = process.communicate(refused)
    code = process.returncode
    for warning in err.splitlines() if code == 0 else ():
        logger.warning("%s", warning)
    found = _object(out)
    if code == 0 and "access_token" in found:
        return found
    error = found.get("error")
    if code == 0 or not isinstance(error, dict):
        # The output may hold a token: it is not repeated.
        ended = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        raise LlmAuthError(f"llm-auth {ended} and printed no JSON object", exit_code=code)
    raise BY_EXIT_CODE.get(code, LlmAuthError)(
        str(error.get("message")),
        kind=str(error.get("kind")),
        advice=error.get("advice"),
        exit_code=code,
    )


def _object(text: str) -> dict[str, Any]:
    # The error of a text that is no JSON holds the text: it must not become a cause.
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
