"""The name of a downloaded file."""

import pytest
from flask import Flask
from flask_babel import force_locale

from portal.accounts import User
from portal.jobs.export import download_name
from tests.jobs.export.exporting import job_on

CELLS = [["Tel"], ["612345678"], ["612345679"], ["nada"]]


def test_a_half_done_file_says_how_far_it_is(app: Flask, alice: User) -> None:
    job = job_on(app, alice, CELLS, source="offline", file_name="Clientes mayo.xls")

    with force_locale("en"):
        assert download_name(job, "xlsx") == "Clientes mayo (partial 1 of 3).xlsx"
        assert download_name(job, "csv", "failed") == "Clientes mayo (rows to fix, partial 1 of 3).csv"
        job.processed_numbers = 3
        assert download_name(job, "xlsx") == "Clientes mayo (complete).xlsx"
        assert download_name(job, "xlsx", group="mobiles") == "Clientes mayo (Mobiles, no duplicates).xlsx"


@pytest.mark.parametrize(
    ("given", "stem"),
    [
        ("../../etc/passwd.xlsx", "passwd"),
        ('a"b\r\nSet-Cookie: x.xlsx', "a_b_Set-Cookie_ x"),
        ("\u202egnp.exe.xlsx", "_gnp.exe"),
        ("....xlsx", "_list"),
        ("ñandú 📞.ods", "ñandú 📞"),
        ("x" * 255, "x" * 120),
    ],
)
def test_no_name_leads_out_of_its_folder_or_its_header(app: Flask, alice: User, given: str, stem: str) -> None:
    job = job_on(app, alice, CELLS, source="offline", file_name=given)

    with force_locale("en"):
        name = download_name(job, "xlsx")

    assert name == f"{stem.removeprefix('_list') or 'list'} (partial 1 of 3).xlsx"


def test_an_operators_name_is_safe_in_a_file_name(app: Flask, alice: User) -> None:
    job = job_on(app, alice, CELLS, source="offline")

    with force_locale("en"):
        name = download_name(job, "xlsx", group="operator:A/B\r\n")

    assert name == "clientes (Mobiles originally from A_B_, partial 1 of 3).xlsx"
