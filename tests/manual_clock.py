"""A clock that stands still until a test moves it."""


class ManualClock:
    """Gives `now`, in seconds; starts far from zero, as real clocks do."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds
