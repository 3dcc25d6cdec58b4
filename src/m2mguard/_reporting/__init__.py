"""Events go in; log records and calls of `on_event` come out. Never raises, and never blocks beyond what a log handler does."""
