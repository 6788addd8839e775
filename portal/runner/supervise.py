"""supervisord with one change: closing the terminal stops the portal. `python -P supervise.py -n -c CONF`.

On SIGHUP supervisord restarts everything, and meanwhile closes our lock on the data directory. A person who closes
the window of `make run` means "stop" and would be left with an invisible portal. It must not know what it runs: that
is in deploy/supervisord.conf.
"""

import signal
import sys
from typing import Any

from supervisor.options import ServerOptions
from supervisor.supervisord import go


class Options(ServerOptions):
    """supervisord's options, but SIGHUP is treated as SIGTERM."""

    def setsignals(self) -> None:
        super().setsignals()
        signal.signal(signal.SIGHUP, self._stop)

    def _stop(self, number: int, frame: Any) -> None:
        self.signal_receiver.receive(signal.SIGTERM, frame)


def main(words: list[str]) -> None:
    """Run supervisord until it is stopped. Unlike its own main, never restart in the same process."""
    options = Options()
    options.realize(words, doc=__doc__)
    options.first, options.test = True, False
    go(options)
    options.close_httpservers()
    options.close_logger()


if __name__ == "__main__":
    main(sys.argv[1:])
