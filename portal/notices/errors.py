"""The error that a channel raises when a notice could not be delivered."""


class DeliveryFailed(Exception):
    """Not delivered. `answer` is the server's response, or what went wrong, for the log and the admins' page; it holds
    no secret. `wait_seconds`: how long the server asked us to wait. `final`: another try would fail in the same way.
    `down`: the route itself is down, so this pass skips the other notices on it and does not count a try for them.
    `unsure`: everything was handed over and only the answer is missing, so it may have arrived."""

    def __init__(
        self,
        answer: str,
        wait_seconds: float | None = None,
        final: bool = False,
        *,
        down: bool = False,
        unsure: bool = False,
    ) -> None:
        super().__init__(answer)
        self.answer = answer
        self.wait_seconds = wait_seconds
        self.final = final
        self.down = down
        self.unsure = unsure
