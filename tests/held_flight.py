"""A flight that a test runs itself. Patch `m2mguard.net._shared_fetch.Flight` with it."""

from m2mguard.net._flight import Flight


class HeldFlight(Flight):
    """A flight without a thread."""

    def start(self) -> None:
        """Do nothing."""

    def run(self) -> None:
        """Do the work on the current thread."""
        self._run()
