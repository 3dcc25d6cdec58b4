"""Waiting for the threads that fetch keys."""

import threading


def join_key_threads() -> None:
    """Wait until every thread that fetches, saves or purges keys has ended; callers get their answer before that."""
    for thread in threading.enumerate():
        if thread.name.startswith("m2mguard-keys"):
            thread.join(10)
