"""Why the command gave no token, by its exit code."""

from __future__ import annotations


class LlmAuthError(Exception):
    """The command failed; the base class of all errors here.

    The text is the command's own: what failed, for which account, and what to do next. It holds no
    token.
    """

    def __init__(
        self, message: str, *, kind: str = "other", advice: str | None = None, exit_code: int = 1
    ) -> None:
        super().__init__(message if not advice else f"{message}; {advice}")
        self.message = message
        #: The kind of failure, as ``llm-auth token --json`` names it.
        self.kind = kind
        #: What to do next, if the command knows it.
        self.advice = advice
        #: The exit code of the command; negative if a signal ended it.
        self.exit_code = exit_code


class UsageError(LlmAuthError):
    """An argument makes no sense, such as a provider that the command does not know (exit code 2)."""


class NotSignedIn(LlmAuthError):
    """The user must sign in, or sign in again (exit code 3)."""


class Temporary(LlmAuthError):
    """The network or the provider failed; try again later (exit code 4)."""


class Denied(LlmAuthError):
    """The user or the provider denied access (exit code 5)."""


class BinaryNotFound(LlmAuthError):
    """This package was installed without the command."""


BY_EXIT_CODE: dict[int, type[LlmAuthError]] = {
    2: UsageError,
    3: NotSignedIn,
    4: Temporary,
    5: Denied,
}
