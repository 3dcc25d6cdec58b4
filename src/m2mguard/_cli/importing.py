"""Imports what MODULE:NAME names in the user's own code, as uvicorn and gunicorn do, and says in plain words why it cannot."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from m2mguard._validation import did_you_mean
from m2mguard.errors import ConfigurationError


class CannotLoad(ConfigurationError):
    """What `--app` names cannot be imported or holds nothing that is looked for; the message says what to change."""


def module_named(name: str) -> ModuleType:
    """Import a module, with the working directory first in the search path. Runs the user's code.

    Raises:
        CannotLoad: there is no such module, or its code raised.
    """
    if not name or not all(part.isidentifier() for part in name.split(".")):
        raise CannotLoad(f"--app: {name!r} is no module's name. Give MODULE:NAME, such as orders.main:app.")
    directory = str(Path.cwd())
    if directory not in sys.path:
        sys.path.insert(0, directory)  # as uvicorn does
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            beside = [path.stem for path in Path(directory).glob("*.py")] + [
                path.parent.name for path in Path(directory).glob("*/__init__.py")
            ]
            raise CannotLoad(
                f"--app: there is no module {error.name!r} in {directory} or among the installed packages. "
                f"{did_you_mean(error.name, sorted(beside)) if beside else ''}".rstrip()
            ) from None
        raise CannotLoad(f"--app: {name} imports {error.name!r}, which is not installed. {_place(error)}") from None
    except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever the user's code raises
        raise CannotLoad(
            f"--app: importing {name} raised {type(error).__name__}{_message(error)}. {_place(error)}"
        ) from None


def attribute(module: ModuleType, names: str, found: object) -> object:
    """Follow dotted names from an object. Raises CannotLoad with similar names."""
    for name in names.split("."):
        if not hasattr(found, name):
            there = [one for one in vars(found) if not one.startswith("_")] if hasattr(found, "__dict__") else []
            raise CannotLoad(
                f"--app: {module.__name__} has no {names!r}. {did_you_mean(name, there) if there else ''}".rstrip()
            )
        found = getattr(found, name)
    return found


def called(factory: object, place: str) -> object:
    """Call a factory without arguments. Runs the user's code. Raises CannotLoad."""
    try:
        return factory()  # type: ignore[operator]
    except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever the user's code raises
        raise CannotLoad(
            f"--app: calling {place} raised {type(error).__name__}{_message(error)}. {_place(error)}"
        ) from None


def _message(error: BaseException) -> str:
    """The error's own text where it is ours: another's may hold a secret."""
    return f": {error}" if isinstance(error, ConfigurationError) else ""


def _place(error: BaseException) -> str:
    frames: Sequence[traceback.FrameSummary] = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "importlib" not in frame.filename and not frame.filename.startswith("<")]
    own = [frame for frame in own if Path(frame.filename).resolve() != Path(__file__).resolve()]
    users = [
        frame for frame in own if Path(__file__).resolve().parents[1] not in Path(frame.filename).resolve().parents
    ] or own
    return f"See {users[-1].filename}, line {users[-1].lineno}." if users else "Run the module by itself to see more."
