"""A real S3 server for tests: moto's, in its own environment and process.

`make test` installs it into `.venv-moto`, from `requirements-moto.txt`. It keeps everything in memory.
"""

import os
import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from portal.config import ROOT
from tests.support.doors import Door
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
        door = Door(("127.0.0.1", self.port))
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
