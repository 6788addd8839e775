"""The versions in use: of the portal, its main libraries, and the servers it talks to.

Only the administrators' page uses it. A version that cannot be read is left out.
"""

import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import version

from redis.exceptions import RedisError
from sqlalchemy import text

from portal.config import ROOT
from portal.database import db
from portal.jobs.dispatch import connection

PACKAGES = ("Flask", "rq", "SQLAlchemy")


def versions() -> dict[str, str]:
    """Return versions by name, the portal's own first."""
    return {**_fixed(), **_database(), **_redis()}


@cache
def _fixed() -> dict[str, str]:
    """Return the versions that do not change while the process runs."""
    found = {"Masterfilter": tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]}
    if revision := _revision():
        found["git"] = revision
    found["Python"] = sys.version.split()[0]
    return found | {name.replace("rq", "RQ"): version(name) for name in PACKAGES}


def _revision() -> str:
    """Return the commit of the checkout; empty if this is not a checkout or git is missing."""
    try:
        asked = ["git", "-C", str(ROOT), "rev-parse", "--short=10", "HEAD"]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _database() -> dict[str, str]:
    if db.engine.dialect.name == "sqlite":
        return {"SQLite": str(db.session.scalar(text("SELECT sqlite_version()")))}
    return {"PostgreSQL": str(db.session.scalar(text("SHOW server_version"))).split()[0]}


def _redis() -> dict[str, str]:
    try:
        server = connection().info("server")
    except (RedisError, OSError):
        return {}
    if "valkey_version" in server:
        return {"Valkey": str(server["valkey_version"])}
    return {"Redis": str(server["redis_version"])}
