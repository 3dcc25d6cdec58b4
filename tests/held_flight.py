"""A flight that does its work only when a test says so. Put it in the place of `m2mguard.net._shared_fetch.Flight`."""

from m2mguard.net._flight import Flight


class HeldFlight(Flight):
    """Starts no thread."""

    def start(self) -> None:
        """Do nothing yet."""

    def run(self) -> None:
        """Do the work now, on this thread."""
        self._run()
