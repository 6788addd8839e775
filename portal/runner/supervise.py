"""supervisord, with one habit changed: a closed terminal ends the portal. `python -P supervise.py -n -c CONF`.

On SIGHUP supervisord starts everything again and closes our lock on the data directory while it does. A person who
closes the window of `make run` means "stop", and would be left with a portal that nobody sees. It must not know
what it runs: that stands in deploy/supervisord.conf.
"""

import signal
import sys
from typing import Any

from supervisor.options import ServerOptions
from supervisor.supervisord import go


class Options(ServerOptions):
    """supervisord's options, which take a lost terminal for an ordinary request to stop."""

    def setsignals(self) -> None:
        super().setsignals()
        signal.signal(signal.SIGHUP, self._stop)

    def _stop(self, number: int, frame: Any) -> None:
        self.signal_receiver.receive(signal.SIGTERM, frame)


def main(words: list[str]) -> None:
    """Run until told to stop. Unlike supervisord's own main there is no second round."""
    options = Options()
    options.realize(words, doc=__doc__)
    options.first, options.test = True, False
    go(options)
    options.close_httpservers()
    options.close_logger()


if __name__ == "__main__":
    main(sys.argv[1:])
