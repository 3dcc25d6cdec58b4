"""`Block`: a context manager that also decorates tests, `async def` tests and fixtures that yield among them.

contextlib's own decorator ends before such a test begins, and makes a function of a class of tests, which no runner then finds.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from types import TracebackType
from typing import Any, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Block(contextlib.AbstractContextManager[T], Generic[T]):
    """`with block:`, once; or `@block` above a test or fixture, which then runs inside it each time it is called."""

    def __init__(self, begin: Callable[[], Iterator[T]]) -> None:
        self._make = contextlib.contextmanager(begin)
        self._entered: contextlib.AbstractContextManager[T] | None = None

    def __enter__(self) -> T:
        if self._entered is not None:
            raise RuntimeError("this block was entered before: make a new one for each `with`")
        self._entered = self._make()
        return self._entered.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return self._entered.__exit__(kind, error, traceback) if self._entered is not None else None

    def __call__(self, test: Callable[P, R]) -> Callable[P, R]:
        """Run a function inside the block.

        Raises:
            TypeError: it is a class, or an asynchronous generator.
        """
        if isinstance(test, type) or inspect.isasyncgenfunction(test):
            raise TypeError(
                f"decorate functions only, not {test.__name__}: put the decorator above each test, or use `with`"
            )
        running: Any = self._around
        if inspect.iscoroutinefunction(test):
            running = self._around_coroutine
        elif inspect.isgeneratorfunction(test):
            running = self._around_generator
        return functools.wraps(test)(running(test))

    def _around(self, test: Callable[P, R]) -> Callable[P, R]:
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            with self._make():
                return test(*args, **kwargs)

        return run

    def _around_coroutine(self, test: Callable[P, Awaitable[R]]) -> Callable[P, Coroutine[Any, Any, R]]:
        async def run(*args: P.args, **kwargs: P.kwargs) -> R:
            with self._make():
                return await test(*args, **kwargs)

        return run

    def _around_generator(self, fixture: Callable[P, Generator[R, Any, Any]]) -> Callable[P, Generator[R, Any, Any]]:
        def run(*args: P.args, **kwargs: P.kwargs) -> Generator[R, Any, Any]:
            with self._make():
                return (yield from fixture(*args, **kwargs))

        return run


def as_block(begin: Callable[P, Iterator[T]]) -> Callable[P, Block[T]]:
    """As `contextlib.contextmanager`, and the result is a `Block`."""

    @functools.wraps(begin)
    def block(*args: P.args, **kwargs: P.kwargs) -> Block[T]:
        return Block(lambda: begin(*args, **kwargs))

    return block
