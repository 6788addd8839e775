"""`python -m portal.runner`, called by `make run`: check, lock, migrate, then become supervisord.

Anything that would make the start fail is found here, before the first process, and reported in one sentence. With
`ctl` as the first argument it is supervisorctl for the running portal: `ctl status`, `ctl restart web`.
"""

import hashlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from dotenv import dotenv_values

from portal import tether
from portal.config import ROOT, SETTINGS, SettingError, read_settings
from portal.notices.chat import apprise_client
from portal.runner import terminal, valkey, words

CONF = ROOT / "deploy" / "supervisord.conf"
HERE = Path(__file__).resolve().parent
PORT_SECONDS = 3.0


def exit_with(sentence: str, **facts: Any) -> NoReturn:
    """Exit with code 1 and a sentence in both languages."""
    sys.exit(words.in_both_languages(sentence, **facts))


def wait_for_port(host: str, port: int, seconds: float) -> bool:
    """Return whether we can listen there. Waits up to `seconds`: a portal just killed may still hold the port."""
    deadline = time.monotonic() + seconds
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
                return True
            except OSError:
                if time.monotonic() > deadline:
                    return False
        time.sleep(0.1)


def migrate() -> None:
    """Migrate the database. Prints nothing unless it fails, and then exits."""
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "app", "db", "upgrade"],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode != 0:
        print(done.stdout, file=sys.stderr)
        exit_with(words.NO_MIGRATION)


def supervisor_variables(settings: dict[str, Any]) -> dict[str, str]:
    """Return the variables that deploy/supervisord.conf calls ENV_RUN_…; without one of them supervisord fails."""
    data_dir: Path = settings["PORTAL_DATA_DIR"]
    return {
        "RUN_PYTHON": sys.executable,
        "RUN_ROOT": str(ROOT),
        "RUN_TETHER": tether.__file__,
        "RUN_DATA_DIR": str(data_dir),
        # Beside Valkey's own, because a socket's path may have at most 107 bytes.
        "RUN_CONTROL_SOCKET": str(settings["VALKEY_SOCKET"].with_name("supervisor.sock")),
        # supervisord warns about a socket without a password, although only we can enter its folder.
        "RUN_CONTROL_PASSWORD": hashlib.sha256(f"control:{settings['SECRET_KEY']}".encode()).hexdigest(),
        "RUN_EMBEDDED_VALKEY": "true" if settings["EMBEDDED_VALKEY"] else "false",
        "RUN_VALKEY": "none",
        "RUN_WORKERS": str(settings["PORTAL_WORKERS"]),
        "RUN_INTAKE_WORKERS": str(settings["PORTAL_INTAKE_WORKERS"]),
        "RUN_WORK": "false" if settings["PORTAL_ROLE"] == "web" else "true",
        "RUN_WEB": "false" if settings["PORTAL_ROLE"] == "worker" else "true",
        "RUN_EVENTS": "false" if settings["PORTAL_ROLE"] == "worker" or settings["LIVE"] == "poll" else "true",
    }


def start(settings: dict[str, Any]) -> None:
    """Check everything, then become supervisord; exit with a sentence when something is wrong."""
    if places := apprise_client.unusable(settings["NOTIFY_URLS"]):
        exit_with(words.BAD_CHAT_ADDRESS, places=", ".join(map(str, places)))
    data_dir: Path = settings["PORTAL_DATA_DIR"]
    environment = supervisor_variables(settings)
    if not tether.hold_lock(str(data_dir / "running.lock"), 0):
        exit_with(words.ALREADY_RUNNING, folder=data_dir)
    serves_pages = settings["PORTAL_ROLE"] != "worker"
    if serves_pages and not wait_for_port(settings["PORTAL_HOST"], settings["PORTAL_PORT"], PORT_SECONDS):
        exit_with(words.PORT_TAKEN, port=settings["PORTAL_PORT"], host=settings["PORTAL_HOST"])
    try:
        valkey.private_folder(settings["VALKEY_SOCKET"].parent)
        # A killed supervisord leaves its socket behind. We hold the lock, so no other process listens there.
        Path(environment["RUN_CONTROL_SOCKET"]).unlink(missing_ok=True)
        if settings["EMBEDDED_VALKEY"]:
            environment["RUN_VALKEY"] = str(valkey.server_binary())
            valkey.write_conf(data_dir / "valkey", settings["VALKEY_SOCKET"])
    except valkey.ValkeyMissing:
        exit_with(words.NO_VALKEY)
    except PermissionError:
        exit_with(words.FOREIGN_FOLDER, folder=settings["VALKEY_SOCKET"].parent)
    migrate()
    terminal.let_logs_append()
    terminal.stop_with_make()
    # Each program reads the settings again when it is restarted. If `.env` changes meanwhile, they must still agree.
    written = dotenv_values(ROOT / ".env")
    pinned = {setting.name: written.get(setting.name) or "" for setting in SETTINGS}
    everything = {**pinned, **os.environ, **environment, "RUN_SUPERVISOR_PID": str(os.getpid())}
    root_is_meant = ["-u", "root"] if os.getuid() == 0 else []  # supervisord warns otherwise
    exec_python([str(HERE / "supervise.py"), "-n", "-c", str(CONF), *root_is_meant], everything)


def exec_python(arguments: list[str], environment: dict[str, str]) -> NoReturn:
    """Replace this process with a new Python process, which does not have the portal in its memory."""
    os.execve(sys.executable, [sys.executable, "-P", *arguments], environment)  # noqa: S606


def main() -> None:
    """Read the settings, then start the portal or, after `ctl`, run supervisorctl with the other arguments."""
    try:
        settings = read_settings()
    except SettingError as error:
        sys.exit(str(error))
    if sys.argv[1:2] == ["ctl"]:
        exec_python(
            ["-m", "supervisor.supervisorctl", "-c", str(CONF), *sys.argv[2:]],
            {**os.environ, **supervisor_variables(settings)},
        )
    start(settings)


if __name__ == "__main__":
    main()
