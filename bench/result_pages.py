"""The page of a result with a million rows against the same page with 60,000, on SQLite: in the order of the file and
in others, at its beginning, middle and end, chosen by bars, and searched.

Both are large: a worker prepares their pages. The rows are written straight into the tables, and answered as the
offline source would: some operators and provinces, a name and a city of each person.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from bench.admin_pages import page_seconds, request, signed_in
from bench.measure import SHORT, Goal, best_of, seconds
from bench.temporary_portal import NOW, make_job, numbers, portal
from portal.database import db
from portal.jobs.models import ScrapingJob
from portal.jobs.result import kept

FEW, MANY = (25_000, 60_000) if SHORT else (60_000, 1_000_000)  # both are more than a page prepares itself
# One row in so many has no number. The page looks at 10,000 of these at most: of the full round's files at as many in
# each, of the short round's at few.
BAD = 100 if SHORT else 10
ROUNDS = 3 if SHORT else 4
CEILING = 1.5
PAGES = {
    "first page": "?outcome=all",
    "last page": "?outcome=all&page={last}",
    "page in the middle": "?outcome=all&page={middle}",
    "page by name": "?outcome=all&sort=own.0",
    "page by operator, from the end": "?outcome=all&sort=-original_operator&page={middle}",
    "page of two bars": "?outcome=all&line_type=mobile&original_operator=Orange",
    "page of two bars by name": "?outcome=all&line_type=mobile&original_operator=Orange&sort=own.0",
}
SEARCHES = {"search for many": "garcía", "search for one": "{one}", "search for none": "zzyzx"}
_NAMES = ("Ana", "Luis", "Eva", "José", "Marta", "Pep", "Iris", "Raúl", "Sara", "Juan")
_LAST_NAMES = ("García", "Pérez", "López", "Ruiz", "Sanz", "Gil", "Vega", "Mora", "Rey", "Soto", "Cano")
_CITIES = ("Madrid", "Sevilla", "Bilbao", "León", "Vigo", "Cádiz", "Lugo")
_OPERATORS = ("Movistar", "Orange", "Vodafone", "Digi", "Yoigo", "")


def goals() -> Iterator[Goal]:
    """Measure the pages, and the work of preparing them."""
    with ExitStack() as stack:
        sides: dict[str, tuple[Flask, FlaskClient, int, float]] = {}
        for side, rows in (("few", FEW), ("many", MANY)):
            app = stack.enter_context(portal(MANY))
            job_id = _ended_job(app, rows)
            taken = seconds(lambda job_id=job_id, app=app: kept.prepare(job_id, app.extensions["storage"]))
            db.session.commit()
            sides[side] = app, signed_in(app), job_id, taken
        first: dict[str, str] = {}
        for name, address in _addresses(sides):
            if name in SEARCHES:
                app, client, *_ = sides["many"]
                pages = {"search": address["many"], "first": first["many"]}
                timed = {page: partial(page_seconds, app, client, path) for page, path in pages.items()}
                best = best_of(
                    ROUNDS, most=3 * ROUNDS, enough=lambda best: best["search"] <= CEILING * best["first"], **timed
                )
                detail = f"{best['search'] * 1000:.1f} ms with {MANY:,} rows, {best['first'] * 1000:.1f} ms unsearched"
                yield Goal(f"result, {name} / first page", best["search"] / best["first"], detail, ceiling=CEILING)
                continue
            first = first or address
            for side, (app, client, _, _) in sides.items():
                page_seconds(app, client, address[side])  # warm up: one-time work does not count
            timed = {
                side: partial(page_seconds, app, client, address[side]) for side, (app, client, *_) in sides.items()
            }
            best = best_of(ROUNDS, most=3 * ROUNDS, enough=lambda best: best["many"] <= CEILING * best["few"], **timed)
            detail = f"{best['many'] * 1000:.1f} ms with {MANY:,} rows, {best['few'] * 1000:.1f} ms with {FEW:,}"
            yield Goal(f"result, {name}, many rows / few rows", best["many"] / best["few"], detail, ceiling=CEILING)
        many, few = (sides[side][3] / rows for side, rows in (("many", MANY), ("few", FEW)))
        detail = f"{many * 1e6:.0f} µs a row with {MANY:,} rows, {few * 1e6:.0f} µs with {FEW:,}"
        yield Goal("preparing a result's pages, a row of many / of few", many / few, detail, ceiling=CEILING)


def _addresses(sides: dict[str, tuple[Flask, FlaskClient, int, float]]) -> Iterator[tuple[str, dict[str, str]]]:
    pages = {"few": FEW // 50, "many": MANY // 50}
    for name, query in PAGES.items():
        yield (
            name,
            {
                side: f"/jobs/{job_id}" + query.format(last=pages[side], middle=pages[side] // 2)
                for side, (_, _, job_id, _) in sides.items()
            },
        )
    for name, searched in SEARCHES.items():
        found = {}
        for side, (app, client, job_id, _) in sides.items():
            with app.app_context():
                one = f"cliente {pages[side] * 50 - 7} "
                answer = request(client, "POST", f"/jobs/{job_id}/rows", q=searched.format(one=one), outcome="all")
            found[side] = answer.location.partition("#")[0]
        yield name, found


def _ended_job(app: Flask, rows: int) -> int:
    """Make a completed job with so many rows, of which one in BAD has no number."""
    job = make_job(app, numbers(3))
    storage = app.extensions["storage"]
    db.session.execute(text("DELETE FROM cells"))
    db.session.execute(text("DELETE FROM numbers"))
    with storage.sheet_path(job.document.storage_key, 0).open("w", encoding="utf-8") as sheet:
        sheet.write('["Cliente","Teléfono","Ciudad","Saldo"]\n')
        cells, found = [], []
        for n in range(rows):
            name = f"Cliente {n} {_NAMES[n % 10]} {_LAST_NAMES[n % 11]}"
            sheet.write(json.dumps([name, f"6{n:08}", _CITIES[n % 7], n % 991 / 4], ensure_ascii=False) + "\n")
            is_number = n % BAD != BAD - 1
            cells.append((job.id, n + 2, 1, 1, f"6{n:08}", n + 1 if is_number else None, False,
                          None if is_number else "too_short"))  # fmt: skip
            if is_number:
                fields = {"line_type": ("mobile", "mobile", "fixed")[n % 3], "original_operator": _OPERATORS[n % 6],
                          "country": "ES", "province": _CITIES[n % 7] if n % 3 == 2 else ""}  # fmt: skip
                found.append((job.id, n + 1, f"+346{n:08}", 1, n + 2, "found", json.dumps(fields), 1, 0))
    connection = db.session.connection()
    connection.exec_driver_sql(
        'INSERT INTO cells (job_id, row_no, "column", place, text, number_no, repeats, reason) '
        "VALUES (?,?,?,?,?,?,?,?)",
        cells,
    )
    connection.exec_driver_sql(
        "INSERT INTO numbers (job_id, no, e164, cells, first_row, outcome, answer, attempt, suspicion) "
        "VALUES (?,?,?,?,?,?,?,?,?)",
        found,
    )
    counted = {"total_numbers": rows, "processed_numbers": rows, "found_count": len(found), "attempt": 1,
               "invalid_count": rows - len(found), "completed_at": NOW, "status": "completed"}  # fmt: skip
    db.session.query(ScrapingJob).filter_by(id=job.id).update(counted)
    db.session.commit()
    return job.id
