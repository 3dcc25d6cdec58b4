"""The only rooms that open a socket or start a thread."""
