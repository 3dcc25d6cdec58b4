"""What the adapters for ASGI share: reading a scope, sending an answer, ending a stream. Nothing is decided about tokens here."""
