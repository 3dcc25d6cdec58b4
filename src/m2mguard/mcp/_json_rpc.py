"""Reads which tools the body of an MCP request calls: one JSON-RPC message, or a batch of them. Pure.

The body is read as strictly as no server reads it more: what two readers could understand differently is no message.
"""

from __future__ import annotations

import json
from typing import Final

TOOL_CALL: Final = "tools/call"


class NotJsonRpc(ValueError):
    """The bytes are no JSON-RPC message that every reader understands alike. The message never quotes them."""


def called_tools(body: bytes) -> list[str]:
    """The names of the tools that a body calls, in order; none for messages of any other kind.

    Raises:
        NotJsonRpc: the body is not JSON in UTF-8, an object in it has a member twice, or a call names no tool.
    """
    try:
        document = _DECODER.decode(body.decode())
    except (ValueError, RecursionError):
        raise NotJsonRpc("not JSON in UTF-8 without repeated members") from None
    calls = [message for message in _messages(document) if message.get("method") == TOOL_CALL]
    return [_tool_of(call) for call in calls]


def is_json(body: bytes) -> bool:
    """Tell whether some reader takes a body for JSON: also in UTF-16 or UTF-32, with a byte order mark, or with members twice."""
    try:
        json.loads(body)
    except RecursionError:
        return True
    except ValueError:
        return False
    return True


def _messages(document: object) -> list[dict[str, object]]:
    return [
        message for message in (document if isinstance(document, list) else [document]) if isinstance(message, dict)
    ]


def _tool_of(call: dict[str, object]) -> str:
    parameters = call.get("params")
    name = parameters.get("name") if isinstance(parameters, dict) else None
    if not isinstance(name, str):
        raise NotJsonRpc("a call without the name of a tool")
    return name


def _unique_members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotJsonRpc("a member occurs twice")
    return members


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique_members)
