"""Imports a module of the user's code and reads its attributes, as uvicorn and gunicorn do; errors name the next step."""

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


class LoadError(ConfigurationError):
    """The object that `--app` names cannot be imported, or is not of a usable kind; the message says what to change."""


def import_module(name: str) -> ModuleType:
    """Import a module, with the working directory first in the search path. Runs the user's code.

    Raises:
        LoadError: the module does not exist, or its code raised.
    """
    if not name or not all(part.isidentifier() for part in name.split(".")):
        raise LoadError(f"--app: {name!r} is not a module name. Give MODULE:NAME, such as orders.main:app.")
    directory = str(Path.cwd())
    if directory not in sys.path:
        sys.path.insert(0, directory)  # as uvicorn does
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            neighbours = [path.stem for path in Path(directory).glob("*.py")] + [
                path.parent.name for path in Path(directory).glob("*/__init__.py")
            ]
            raise LoadError(
                f"--app: there is no module {error.name!r} in {directory} or among the installed packages. "
                f"{did_you_mean(error.name, sorted(neighbours)) if neighbours else ''}".rstrip()
            ) from None
        raise LoadError(
            f"--app: {name} imports {error.name!r}, which is not installed. {_format_place(error)}"
        ) from None
    except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever the user's code raises
        raise LoadError(
            f"--app: importing {name} raised {type(error).__name__}{_format_message(error)}. {_format_place(error)}"
        ) from None


def get_attribute(module: ModuleType, names: str, found: object) -> object:
    """Read an attribute by dotted names. Raises LoadError, which suggests similar names."""
    for name in names.split("."):
        if not hasattr(found, name):
            known_names = [one for one in vars(found) if not one.startswith("_")] if hasattr(found, "__dict__") else []
            raise LoadError(
                f"--app: {module.__name__} has no {names!r}. {did_you_mean(name, known_names) if known_names else ''}".rstrip()
            )
        found = getattr(found, name)
    return found


def call_factory(factory: object, place: str) -> object:
    """Call a factory without arguments. Runs the user's code. Raises LoadError."""
    try:
        return factory()  # type: ignore[operator]
    except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever the user's code raises
        raise LoadError(
            f"--app: calling {place} raised {type(error).__name__}{_format_message(error)}. {_format_place(error)}"
        ) from None


def _format_message(error: BaseException) -> str:
    """Return the message of our own errors only: the message of another error may contain a secret."""
    return f": {error}" if isinstance(error, ConfigurationError) else ""


def _format_place(error: BaseException) -> str:
    frames: Sequence[traceback.FrameSummary] = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "importlib" not in frame.filename and not frame.filename.startswith("<")]
    own = [frame for frame in own if Path(frame.filename).resolve() != Path(__file__).resolve()]
    users = [
        frame for frame in own if Path(__file__).resolve().parents[1] not in Path(frame.filename).resolve().parents
    ] or own
    return f"See {users[-1].filename}, line {users[-1].lineno}." if users else "Run the module on its own to see more."
