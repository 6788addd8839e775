"""A real S3 server for tests: moto's, in its own environment and process, behind a door that a test can shut.

`make test` installs it into `.venv-moto`, from `requirements-moto.txt`. It keeps everything in memory.
"""

import os
import signal
import socket
import subprocess
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from portal.config import ROOT
from tests.support.processes import dies_with_us, missing, stop

PYTHON = ROOT / ".venv-moto" / "bin" / "python"
PROGRAM = """
from werkzeug.serving import make_server
from moto.server import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
app = DomainDispatcherApplication(create_backend_app)
server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=MotoRequestHandler)
print(server.server_port, flush=True)
server.serve_forever()
"""
KEYS = {"STORAGE_REGION": "eu-south-2", "STORAGE_ACCESS_KEY": "anybody", "STORAGE_SECRET_KEY": "may come in"}


class Door:
    """Passes connections on to a server on 127.0.0.1 while it is open; shut, it refuses them and cuts those it has."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener: socket.socket | None = None
        self._pairs: list[socket.socket] = []
        self.port = 0
        self.open()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def shut(self) -> None:
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for one in self._pairs:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._pairs = []

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                outside, _ = listener.accept()
                inside = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                return
            self._pairs += [outside, inside]
            for one, other in ((outside, inside), (inside, outside)):
                threading.Thread(target=_pump, args=(one, other), daemon=True).start()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@dataclass
class S3Server:
    """A running server; each bucket is a test's own."""

    port: int

    def client(self) -> Any:
        from boto3.session import Session

        return Session().client(
            "s3", endpoint_url=f"http://127.0.0.1:{self.port}", region_name=KEYS["STORAGE_REGION"],
            aws_access_key_id="anybody", aws_secret_access_key="may come in",
        )  # fmt: skip

    def new_bucket(self) -> str:
        name = f"masterfilter-{uuid.uuid4().hex}"
        where = {"LocationConstraint": KEYS["STORAGE_REGION"]}
        self.client().create_bucket(Bucket=name, CreateBucketConfiguration=where)
        return name

    def names(self, bucket: str) -> list[str]:
        """The names of all objects."""
        return sorted(one["Key"] for one in self.client().list_objects_v2(Bucket=bucket).get("Contents", ()))

    @contextmanager
    def door(self) -> Iterator[Door]:
        door = Door(self.port)
        try:
            yield door
        finally:
            door.shut()


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """A server on a free port of 127.0.0.1. Without moto the test skips, or fails where CI=true."""
    if not PYTHON.exists():
        missing("moto, the S3 server,")
    process = subprocess.Popen(
        [PYTHON, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "MOTO_S3_DEFAULT_KEY_BUFFER_SIZE": str(64 * 1024 * 1024)},
        preexec_fn=dies_with_us(signal.SIGKILL),
    )
    with process:
        try:
            assert process.stdout is not None
            port = process.stdout.readline().decode().strip()
            assert port, "moto did not start"
            yield S3Server(int(port))
        finally:
            stop(process)
