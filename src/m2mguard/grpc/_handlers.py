"""Puts another function into a handler of gRPC, which stays of its kind, so that other interceptors see what they expect."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import grpc

Behavior: TypeAlias = Callable[..., Any]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


def is_stream(handler: Handler) -> bool:
    """Tell whether one side of a call, or both, may send many messages."""
    return bool(handler.request_streaming or handler.response_streaming)


def wrapped(handler: Handler, wrap: Callable[[Behavior], Behavior]) -> Handler:
    """A handler of the same kind that does what `wrap` makes of the original's function, whose attributes gRPC still finds."""
    requests, responses = (
        "stream" if many else "unary" for many in (handler.request_streaming, handler.response_streaming)
    )
    behavior = getattr(handler, f"{requests}_{responses}")
    make: Callable[..., Handler] = getattr(grpc, f"{requests}_{responses}_rpc_method_handler")
    return make(functools.wraps(behavior)(wrap(behavior)), handler.request_deserializer, handler.response_serializer)
