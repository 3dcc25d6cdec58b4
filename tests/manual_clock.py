"""A clock that only tests move."""


class ManualClock:
    """Returns `now` in seconds; starts far from zero, like real clocks."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds
