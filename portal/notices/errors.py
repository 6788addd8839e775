"""The one error of a channel: the other side did not take the notice."""


class DeliveryFailed(Exception):
    """Not delivered. `answer` is what the other side said, or what went wrong, for the log and the admin's page, with
    no secret in it. `wait_seconds` is how long it asked us to wait; `final`: another try would have the same end;
    `down`: the way itself is down, so that the pass need not try it for others (no try of theirs is spent)."""

    def __init__(
        self, answer: str, wait_seconds: float | None = None, final: bool = False, *, down: bool = False
    ) -> None:
        super().__init__(answer)
        self.answer = answer
        self.wait_seconds = wait_seconds
        self.final = final
        self.down = down
