"""Sets up the environment for make: `python deploy/set_up.py run`, `s3`, `test` or `bench`. Needs only Python.

It creates `.venv`, installs the pinned packages and compiles the translations. `s3` adds what only a bucket needs, and
so does `run` when STORAGE_URL names one in the environment or in `.env`. `test` adds what only tests need, with
Chromium, PostgreSQL and LibreOffice from this machine's packages if run as root; `bench` adds Scrapy. Finished steps
are not repeated, and a second set-up at the same time waits for the first. It must not import the portal, whose
packages may not be installed yet.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
REQUIREMENTS = {
    "run": "requirements.txt",
    "s3": "requirements-s3.txt",
    "test": "requirements-dev.txt",
    "bench": "requirements-dev.txt",
}
# Packages that conflict with ours get their own environment: `.venv-httpbin`, `.venv-moto`, `.venv-bench`.
APART = {"test": ("httpbin", "moto"), "bench": ("bench",)}
WITHOUT = {
    "httpbin": "NO HTTPBIN: its tests will not run.",
    "moto": "NO S3 SERVER: the tests of storage in a bucket will not run.",
    "bench": "NO SCRAPY: its comparison will not run.",
}
# What only the process that reads files imports.
READER_PACKAGES = ("python_calamine", "xlrd", "defusedxml", "charset_normalizer", "isal")
SHELL = "chromium-headless-shell"  # Chromium without windows, which takes a third less of the processor's time
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def succeeds(*command: str | Path) -> bool:
    """Run a command silently; return whether it succeeded."""
    try:
        return subprocess.run([str(part) for part in command], capture_output=True, cwd=ROOT).returncode == 0
    except OSError:
        return False


def run_or_exit(*command: str | Path) -> None:
    """Run a command silently; if it fails, print its output and exit."""
    done = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        say(done.stdout + done.stderr)
        sys.exit(f"Command failed: {' '.join(str(part) for part in command)}")


def make_venv() -> None:
    """Create the virtual environment, unless there is one that starts and has pip."""
    if succeeds(PYTHON, "-m", "pip", "--version"):
        return
    if not succeeds(sys.executable, "-c", "import venv, ensurepip"):
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        sys.exit(f"This Python has no venv. On Debian and Ubuntu: apt-get install -y python{version}-venv")
    run_or_exit(sys.executable, "-m", "venv", "--clear", VENV)


def install(name: str, venv: Path = VENV) -> None:
    """Install the pinned packages, each checked against its hash. A stamp with the list's hash marks it as done."""
    wanted, python = ROOT / name, venv / "bin" / "python"
    stamp = venv / f"{wanted.name}.installed"
    digest = hashlib.sha256(wanted.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest and succeeds(python, "-c", ""):
        return
    say(f"Installing {wanted.name} into {venv.name} …")
    if venv != VENV:  # created again, so that no package of an older list stays. It needs no pip: .venv has one.
        run_or_exit(PYTHON, "-m", "venv", "--clear", "--without-pip", venv)
    pip = (PYTHON, "-m", "pip", "--python", python, "--disable-pip-version-check")
    run_or_exit(*pip, "install", "-q", "--require-hashes", "-r", wanted)
    stamp.write_text(digest)


def stores_in_a_bucket() -> bool:
    """Return whether STORAGE_URL names a bucket, in the environment or in `.env`."""
    if "STORAGE_URL" in os.environ:
        return os.environ["STORAGE_URL"].strip().startswith("s3://")
    written = ROOT / ".env"
    pattern = r"""(?m)^\s*(?:export\s+)?STORAGE_URL\s*=\s*["']?s3://"""
    return written.is_file() and re.search(pattern, written.read_text()) is not None


def install_apart(name: str) -> None:
    """Install a separate environment; a failure is only printed, because everything else works without it."""
    try:
        install(f"requirements-{name}.txt", ROOT / f".venv-{name}")
    except SystemExit as failure:
        say(f"{WITHOUT[name]} {failure}")


def compile_translations() -> None:
    """Compile the .mo files that the portal reads, if a .po file is newer than its .mo."""
    folder = ROOT / "portal" / "translations"
    for catalogue in folder.glob("*/LC_MESSAGES/*.po"):
        compiled = catalogue.with_suffix(".mo")
        if not compiled.exists() or compiled.stat().st_mtime < catalogue.stat().st_mtime:
            run_or_exit(VENV / "bin" / "pybabel", "-q", "compile", "-d", folder)
            return


def compile_reader() -> None:
    """Compile what only the confined process that reads files imports: it may write nothing beside it, and would
    compile it again for each file, which takes longer than to read one."""
    of_venv = [path for name in READER_PACKAGES for path in VENV.glob(f"lib/python*/site-packages/{name}")]
    succeeds(VENV / "bin" / "python", "-m", "compileall", "-q", ROOT / "portal", *of_venv)


def apt(*packages: str, update: bool = True) -> bool:
    """Install system packages, if we are root and the machine has apt. Return whether that succeeded. `update`: fetch
    the list of packages if it is too old."""
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
    return succeeds(*command) or (update and succeeds("apt-get", "update") and succeeds(*command))


def install_browser() -> None:
    """Find Chromium for the browser tests: without windows if possible; the system's, else from apt, else the one that
    Playwright downloads."""
    there = any(shutil.which(name) for name in BROWSERS)
    if shutil.which(SHELL) or apt(SHELL, "fonts-dejavu-core", update=not there) or there:
        return
    fetched = "from playwright.sync_api import sync_playwright as p\nwith p() as w: open(w.chromium.executable_path)"
    if succeeds(PYTHON, "-c", fetched) or apt("chromium", "fonts-dejavu-core"):
        return
    say("Installing Chromium with Playwright …")
    if not succeeds(PYTHON, "-m", "playwright", "install", "chromium"):
        say("NO CHROMIUM: the browser tests will not run. On Debian and Ubuntu: apt-get install -y chromium")


def install_postgresql() -> None:
    """Install PostgreSQL's programs; the tests start their own server."""
    if shutil.which("initdb") or any(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or apt("postgresql"):
        return
    say("NO POSTGRESQL: its tests will not run. On Debian and Ubuntu: apt-get install -y postgresql")


def install_libreoffice() -> None:
    """Install LibreOffice's spreadsheet program, which shows what a workbook looks like before and after, and poppler,
    which reads the text of the pages that it prints."""
    wanted = {"soffice": "libreoffice-calc-nogui", "pdftotext": "poppler-utils"}
    packages = [package for program, package in wanted.items() if not shutil.which(program)]
    if packages and not apt(*packages):
        names = " ".join(packages)
        say(f"NO LIBREOFFICE: its tests will not run. On Debian and Ubuntu: apt-get install -y {names}")


def main(what: str) -> None:
    lock = os.open(ROOT, os.O_RDONLY)  # the folder is the lock: two set-ups must not change it at once
    fcntl.flock(lock, fcntl.LOCK_EX)
    make_venv()
    install(REQUIREMENTS["s3" if what == "run" and stores_in_a_bucket() else what])
    compile_translations()
    compile_reader()
    for name in APART.get(what, ()):
        install_apart(name)
    if what in APART:
        install_postgresql()
    if what == "test":
        install_browser()
        install_libreoffice()


if __name__ == "__main__":
    main(sys.argv[1])
