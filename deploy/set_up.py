"""What make does before anything else: `python deploy/set_up.py run`, `test` or `bench`. Needs Python alone.

It makes `.venv`, installs the pinned packages, and compiles the translations; `test` adds what only tests need, with
Chromium and PostgreSQL from this machine's packages when root asks; `bench` adds Scrapy. Nothing is done twice, and a
second set-up at the same time waits for the first. It must not import the portal: its packages may not be there yet.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
REQUIREMENTS = {"run": "requirements.txt", "test": "requirements-dev.txt", "bench": "requirements-dev.txt"}
# What would not go with our own packages has an environment of its own: `.venv-httpbin`, `.venv-bench`.
APART = {"test": "httpbin", "bench": "bench"}
WITHOUT = {"test": "NO HTTPBIN: its tests will not run.", "bench": "NO SCRAPY: nothing is compared with it."}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def works(*command: str | Path) -> bool:
    """Whether the command ended well. Nothing is shown of it."""
    try:
        return subprocess.run([str(part) for part in command], capture_output=True, cwd=ROOT).returncode == 0
    except OSError:
        return False


def must(*command: str | Path) -> None:
    """Run it silently; when it fails, show what it said and end."""
    done = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        say(done.stdout + done.stderr)
        sys.exit(f"This failed: {' '.join(str(part) for part in command)}")


def make_venv() -> None:
    """A virtual environment that starts and has pip, made anew when this one does not."""
    if works(PYTHON, "-m", "pip", "--version"):
        return
    if not works(sys.executable, "-c", "import venv, ensurepip"):
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        sys.exit(f"This Python has no venv. On Debian and Ubuntu: apt-get install -y python{version}-venv")
    must(sys.executable, "-m", "venv", "--clear", VENV)


def install(name: str, venv: Path = VENV) -> None:
    """The pinned packages, each checked against its hash. A stamp with the list's own hash says that it was done."""
    wanted, python = ROOT / name, venv / "bin" / "python"
    stamp = venv / f"{wanted.name}.installed"
    digest = hashlib.sha256(wanted.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest and works(python, "-c", ""):
        return
    say(f"Installing {wanted.name} into {venv.name} …")
    if venv != VENV:  # made anew: what an older list wanted must not stay. It needs no pip, as .venv has one.
        must(PYTHON, "-m", "venv", "--clear", "--without-pip", venv)
    pip = (PYTHON, "-m", "pip", "--python", python, "--disable-pip-version-check")
    must(*pip, "install", "-q", "--require-hashes", "-r", wanted)
    stamp.write_text(digest)


def install_apart(what: str) -> None:
    """As install, but what cannot be had here is only said, loudly: the rest can do without."""
    try:
        install(f"requirements-{APART[what]}.txt", ROOT / f".venv-{APART[what]}")
    except SystemExit as failure:
        say(f"{WITHOUT[what]} {failure}")


def compile_translations() -> None:
    """The .mo files that the portal reads, where a .po is newer than its own."""
    folder = ROOT / "portal" / "translations"
    for words in folder.glob("*/LC_MESSAGES/*.po"):
        compiled = words.with_suffix(".mo")
        if not compiled.exists() or compiled.stat().st_mtime < words.stat().st_mtime:
            must(VENV / "bin" / "pybabel", "-q", "compile", "-d", folder)
            return


def apt(*packages: str) -> bool:
    """Install from this machine's package archive, where that can be done without asking anybody."""
    if os.getuid() != 0 or not shutil.which("apt-get"):
        return False
    say(f"Installing {' '.join(packages)} …")
    command = (
        "env",
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "install",
        "-y",
        "--no-install-recommends",
        *packages,
    )
    return works(*command) or (works("apt-get", "update") and works(*command))


def get_browser() -> None:
    """Chromium for the browser tests: the system's, else from apt, else the one that Playwright fetches."""
    if any(shutil.which(name) for name in BROWSERS):
        return
    fetched = "from playwright.sync_api import sync_playwright as p\nwith p() as w: open(w.chromium.executable_path)"
    if works(PYTHON, "-c", fetched) or apt("chromium", "fonts-dejavu-core"):
        return
    say("Installing Chromium with Playwright …")
    if not works(PYTHON, "-m", "playwright", "install", "chromium"):
        say("NO CHROMIUM: the browser tests will not run. On Debian and Ubuntu: apt-get install -y chromium")


def get_postgresql() -> None:
    """PostgreSQL's programs; the tests start a server of their own."""
    if shutil.which("initdb") or any(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or apt("postgresql"):
        return
    say("NO POSTGRESQL: its tests will not run. On Debian and Ubuntu: apt-get install -y postgresql")


def main(what: str) -> None:
    lock = os.open(ROOT, os.O_RDONLY)  # the folder itself is what two set-ups must not change at once
    fcntl.flock(lock, fcntl.LOCK_EX)
    make_venv()
    install(REQUIREMENTS[what])
    compile_translations()
    if what in APART:
        install_apart(what)
        get_postgresql()
    if what == "test":
        get_browser()


if __name__ == "__main__":
    main(sys.argv[1])
