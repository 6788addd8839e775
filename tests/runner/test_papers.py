"""The operator's documentation is up to date: README, `.env.example`, `make help`; the nginx sample logs no secret."""

import re
import subprocess

import pytest

from portal.config import ROOT, SETTINGS, Setting
from portal.web.headers import SECRET_PATHS

README = (ROOT / "README.md").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_the_readme_has_every_setting(setting: Setting) -> None:
    row = re.search(rf"^\| `{setting.name}` \| (.*?) \| .+ \|$", README, re.M)
    assert row, f"{setting.name} has no row in the table"
    assert row[1] == (f"`{setting.default}`" if setting.default else "–")


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_the_example_has_every_setting(setting: Setting) -> None:
    assert f"\n# {setting.name}={setting.default}\n" in f"\n{EXAMPLE}\n"


def test_neither_has_unknown_settings() -> None:
    known = {setting.name for setting in SETTINGS}
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", README, re.M)) <= known
    assert set(re.findall(r"^#? ?([A-Z_]+)=", EXAMPLE, re.M)) <= known


def test_make_prints_every_command() -> None:
    shown = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for command in ("run", "test", "check", "bench", "chaos", "seed", "lock", "clean"):
        assert re.search(rf"^  make {command} +\S", shown, re.M)


def test_the_nginx_sample_logs_no_address_that_may_hold_a_key_or_a_number() -> None:
    sample = re.sub(r"#.*", "", (ROOT / "deploy" / "nginx.conf").read_text())
    servers = sample.split("server {")[1:]
    assert len(servers) == 3
    for server in servers:
        before_locations = server.split("location")[0]
        assert re.search(r"access_log (off|\S+ masterfilter);", before_locations), "else the default log has all of it"
    (log_format,) = re.findall(r"log_format masterfilter '(.*)';", sample)
    logged = set(re.findall(r"\$\w+", log_format))
    assert not logged & {"$request", "$request_uri", "$args", "$query_string", "$http_referer"}
    (keys,) = re.findall(r"location ~ (\S+) \{\s+access_log off;", sample)
    assert all(re.match(keys, f"{path}x") for path in SECRET_PATHS)
    assert re.search(r"error_log \S+ crit;", sample), "at other levels it has whole requests"
    assert re.findall(r"ssl_protocols (.*);", sample) == ["TLSv1.2 TLSv1.3"]
