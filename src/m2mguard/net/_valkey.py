"""Talks to a Valkey server (or one that speaks its protocol): short time-outs, and nothing is ever sent twice. Needs the extra `valkey`."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from m2mguard._validation import text
from m2mguard.errors import ConfigurationError
from m2mguard.net._batches import NoAnswer
from m2mguard.net._flight import after_fork_in_child

if TYPE_CHECKING:
    from valkey import Valkey

_SCHEMES: Final = ("valkey", "valkeys", "redis", "rediss", "unix")
Command = tuple[str | bytes | int | float, ...]


class ValkeyServer:
    """A Valkey server. Nothing is sent before the first command. Safe to share between threads, and across `fork`.

    Args:
        url: "valkey://user:password@host:6379/0", "valkeys://" for TLS, or "unix:///path?db=0".
        timeout_s: for a connection, and for each answer.

    Raises:
        ConfigurationError: an invalid URL, or `valkey` is not installed. No message shows the URL, which can have a password.
    """

    def __init__(self, url: str, *, timeout_s: float) -> None:
        text("url", url)
        scheme = url.partition("://")[0]
        if scheme not in _SCHEMES:
            raise ConfigurationError(
                f"url must begin with one of {', '.join(f'{one}://' for one in _SCHEMES)}, such as valkeys://valkey.internal:6379/0."
            )
        self._make_client = functools.partial(_client, url, timeout_s)
        self._inherited: list[object] = []
        self._client = self._make_client()
        self._messages: Any = None
        after_fork_in_child(self._after_fork)
        self.shown: str = _without_password(url)

    def _after_fork(self) -> None:
        # a thread of the parent may hold their locks, for which ending them would wait
        self._inherited += [self._client, self._messages]
        self._client, self._messages = self._make_client(), None

    def send(self, commands: Sequence[Command]) -> list[Any]:
        """The answer to each command, or a `RefusedCommand`. Blocks.

        Raises:
            NoAnswer: the server cannot be reached, does not let us in, or does not answer in time. Any command may have been done.
        """
        pipeline: Any = self._client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        with _no_answer():
            answers = pipeline.execute(raise_on_error=False)
        return [_refused(answer) if isinstance(answer, Exception) else answer for answer in answers]

    def scan(self, pattern: str) -> list[bytes]:
        """The names of all keys of a pattern. Blocks. Raises NoAnswer."""
        with _no_answer():
            return list(self._client.scan_iter(match=pattern, count=1_000))

    def wait_for_message(self, channel: str, seconds: float) -> bool:
        """Wait for a message on a channel, on a connection that stays. Tells whether there was one. For one thread at a time.

        Raises:
            NoAnswer: the server gives none.
        """
        until = time.monotonic() + seconds
        try:
            with _no_answer():
                if self._messages is None:
                    client: Any = self._client
                    self._messages = client.pubsub(ignore_subscribe_messages=True)
                    self._messages.subscribe(channel)
                while (left_s := until - time.monotonic()) > 0:
                    if self._messages.get_message(timeout=left_s) is not None:
                        return True
        except NoAnswer:
            messages, self._messages = self._messages, None
            if messages is not None:
                messages.close()
            raise
        return False

    def __repr__(self) -> str:
        return f"ValkeyServer({self.shown!r})"


class RefusedCommand(NoAnswer):
    """The server refused one command.

    Attributes:
        is_full: because its memory is full.
    """

    def __init__(self, description: str, *, is_full: bool) -> None:
        super().__init__(description)
        self.is_full = is_full


@contextlib.contextmanager
def _no_answer() -> Iterator[None]:
    """Turn what the client raises into `NoAnswer`, without anything of the URL or the commands."""
    import valkey

    try:
        yield
    except valkey.exceptions.AuthenticationError:
        raise NoAnswer("Valkey refuses the user name or the password of its URL") from None
    except valkey.exceptions.TimeoutError:
        raise NoAnswer("Valkey gave no answer in time") from None
    except (valkey.exceptions.ValkeyError, OSError) as error:
        raise NoAnswer(f"Valkey cannot be reached ({type(error).__name__})") from None


def _refused(error: Exception) -> RefusedCommand:
    import valkey

    is_full = isinstance(error, valkey.exceptions.OutOfMemoryError) or str(error).startswith("OOM ")
    return RefusedCommand(f"Valkey refuses a command ({type(error).__name__})", is_full=is_full)


def _client(url: str, timeout_s: float) -> Valkey:
    try:
        from valkey import Valkey
        from valkey.backoff import NoBackoff
        from valkey.retry import Retry
    except ImportError:
        raise ConfigurationError('a Valkey store needs its client: pip install "m2mguard[valkey]"') from None
    try:
        return Valkey.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
            client_name="m2mguard",
        )
    except ValueError:
        raise ConfigurationError(
            "url is not a URL of a Valkey server, such as valkeys://valkey.internal:6379/0."
        ) from None


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
