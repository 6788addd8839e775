"""The settings that protect: the key, and who may read what the portal writes."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from flask import Flask

from portal.config import ROOT, SettingError, read_settings
from portal.notices.kinds import NoticeKind
from portal.notices.unsubscribe import read_token, unsubscribe_address
from tests.support import cast
from tests.support.full_disk import full_disk

OLD, NEW = "o" * 40, "n" * 40


def test_a_short_key_is_refused_with_a_sentence_that_does_not_repeat_it(tmp_path: Path) -> None:
    for short in ("1", "x" * 31):
        with pytest.raises(SettingError, match="at least 32 characters") as error:
            read_settings({"PORTAL_DATA_DIR": str(tmp_path), "SECRET_KEY": short})
        assert f"{short!r}" not in str(error.value)
        with pytest.raises(SettingError, match="at least 32 characters"):
            read_settings({"PORTAL_DATA_DIR": str(tmp_path), "SECRET_KEY_FALLBACKS": f"{OLD},{short}"})


@pytest.mark.parametrize("content", ["", "\n", "short"])
def test_a_key_file_without_a_key_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "secret_key").write_text(content)
    with pytest.raises(SettingError, match="secret_key holds no key"):
        read_settings({"PORTAL_DATA_DIR": str(tmp_path)})


def test_a_full_disk_leaves_no_key_file_behind(tmp_path: Path) -> None:
    with full_disk([os.getpid()]), pytest.raises(OSError):
        read_settings({"PORTAL_DATA_DIR": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []


def test_processes_that_start_together_have_one_key(tmp_path: Path) -> None:
    keys: set[str] = set()
    start = threading.Barrier(8)

    def read() -> None:
        start.wait()
        keys.add(read_settings({"PORTAL_DATA_DIR": str(tmp_path)})["SECRET_KEY"])

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 1 and [path.name for path in tmp_path.iterdir()] == ["secret_key"]
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600


def test_an_earlier_key_still_opens_what_it_signed(tmp_path: Path) -> None:
    def portal(name: str, **settings: str) -> Flask:
        (tmp_path / name).mkdir()
        return cast.make_app(tmp_path / name, **settings)

    with portal("before", SECRET_KEY=OLD).app_context():
        token = unsubscribe_address(NoticeKind.JOB_FAILED, 1).rpartition("/")[2]
    with portal("after", SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=OLD).app_context():
        assert read_token(token) is not None
    with portal("later", SECRET_KEY=NEW).app_context():
        assert read_token(token) is None


def test_a_command_in_an_open_folder_writes_files_for_its_user_only(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    environ = {**os.environ, "PORTAL_DATA_DIR": str(tmp_path), "DATABASE_URL": "", "REDIS_URL": "unix:///nowhere"}
    command = [sys.executable, "-m", "flask", "--app", "app", "db", "upgrade"]
    subprocess.run(command, cwd=ROOT, env=environ, check=True, capture_output=True, umask=0o022)
    open_to_others = [path.name for path in tmp_path.rglob("*") if path.stat().st_mode & 0o077]
    assert (tmp_path / "masterfilter.db").exists() and open_to_others == []
    doctor = subprocess.run([*command[:5], "doctor"], cwd=ROOT, env={**environ, "LANG": "en_GB.UTF-8"},
                            capture_output=True, text=True, umask=0o022)  # fmt: skip
    assert "other users of this machine can read" in doctor.stdout
