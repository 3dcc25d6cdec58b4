"""Flask's side: one extension that protects views, blueprints or whole apps, and shows who is calling.

Nothing is decided about tokens or answers here. A refusal is raised as Werkzeug's exception, so that an app's handlers run.
"""

try:
    from flask import request
    from werkzeug.local import LocalProxy
except ImportError as _missing:
    raise ImportError('m2mguard.flask needs Flask: pip install "m2mguard[flask]"') from _missing

from m2mguard.caller import Caller
from m2mguard.flask._extension import M2MGuard
from m2mguard.flask._views import readiness
from m2mguard.wsgi import caller_of

__all__ = ["M2MGuard", "current_caller", "readiness"]


def _current() -> Caller:
    return caller_of(request.environ)


current_caller: Caller = LocalProxy(_current)  # type: ignore[assignment]
"""The application that sent the current request. A RuntimeError where nothing protects the view, or outside a request."""


def __dir__() -> list[str]:
    return sorted(__all__)
