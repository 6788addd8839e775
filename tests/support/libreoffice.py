"""LibreOffice, which the set-up of the tests installs: a test that needs it fails in CI where it is missing."""

import os
import shutil

import pytest


def soffice() -> str:
    """The program's path. Skips the test where it is missing; in CI that is a failure."""
    path = shutil.which("soffice")
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("LibreOffice is missing: make test installs it as root")
    return path
