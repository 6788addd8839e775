"""The network between a machine and a server, which a test can cut: it passes connections on while it is open."""

import socket
import threading
from contextlib import suppress
from pathlib import Path

Address = tuple[str, int] | str  # of IPv4, or the path of a socket


class Door:
    """Passes connections on to a server while it is open; shut, it refuses new ones and cuts those there are."""

    def __init__(self, to: Address, at: Address = ("127.0.0.1", 0)) -> None:
        self._to, self._at = to, at
        self._listener: socket.socket | None = None
        self._ends: list[socket.socket] = []
        self.open()

    @property
    def url(self) -> str:
        return f"http://{self._at[0]}:{self._at[1]}"

    def open(self) -> None:
        if isinstance(self._at, str):
            Path(self._at).unlink(missing_ok=True)
        self._listener = _new_socket(self._at)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(self._at)
        self._listener.listen(100)
        self._at = self._listener.getsockname()  # with the port that it got
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def shut(self) -> None:
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        ends, self._ends = self._ends, []
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                outside, _ = listener.accept()
                inside = _new_socket(self._to)
                inside.connect(self._to)
            except OSError:
                return
            if self._listener is not listener:
                outside.close()
                inside.close()
                return
            self._ends += [outside, inside]
            for one, other in ((outside, inside), (inside, outside)):
                threading.Thread(target=_pump, args=(one, other), daemon=True).start()


def _new_socket(address: Address) -> socket.socket:
    return socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
