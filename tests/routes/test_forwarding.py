"""What the survey takes for a function that always calls what is inside it, and what it does not."""

from starlette.middleware.cors import CORSMiddleware

from m2mguard._routes.forwarding import always_calls
from m2mguard._routes.wrappers import _may_answer_as_dispatch


class Middleware:
    def __init__(self, app):
        self.app = app

    def calls(self, request):
        return self.app(request)

    def calls_among_others(self, request):
        names = [name for name in request]  # noqa: C416 - a comprehension is the point
        return self.app(names)

    def calls_in_a_lambda(self, request):
        return lambda: self.app(request)

    def calls_in_a_comprehension(self, requests):
        return [self.app(request) for request in requests]

    def calls_in_a_loop(self, requests):
        for request in requests:
            self.app(request)
            later = lambda: None  # noqa: E731
            later()

    def returns_in_a_loop(self, requests):
        for request in requests:
            return (lambda: request)()
        return self.app(requests)


def test_a_call_in_any_case_is_certain():
    assert always_calls(Middleware.calls, ["self.app"])
    assert always_calls(Middleware.calls_among_others, ["self.app"])


def test_a_call_that_may_not_be_reached_is_not():
    for name in ("calls_in_a_lambda", "calls_in_a_comprehension", "calls_in_a_loop", "returns_in_a_loop"):
        assert not always_calls(getattr(Middleware, name), ["self.app"]), name
    assert not always_calls(len, ["self.app"])


def test_a_dispatch_of_a_framework_or_none_answers_nothing_by_itself():
    assert not _may_answer_as_dispatch(None)
    assert not _may_answer_as_dispatch(CORSMiddleware.__call__)
    assert _may_answer_as_dispatch(Middleware.calls_in_a_lambda)
