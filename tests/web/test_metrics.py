"""The pages of figures: everybody's for admins, one's own for everybody, and what is left of a file past its days."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from portal.clock import utcnow
from portal.database import db
from portal.jobs.core.status import Status
from portal.jobs.metrics import periods
from portal.jobs.metrics.periods import Span
from portal.jobs.status_counts import count_by_status
from portal.jobs.sweep import expiry
from portal.web.metrics.charts import Series, nice, stacked
from portal.web.tables import Column, Table
from tests.support import cast, scenes

ADMINS = ("/admin/metrics", "/admin/metrics/live", "/admin/metrics/files.csv", "/admin/metrics/people.csv")


def text_of(client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def rows_of(client, address: str) -> list[list[str]]:
    data = client.get(address).data
    assert data.startswith(b"\xef\xbb\xbf"), "Excel would not know that it is UTF-8"
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))


def tiles(html: str) -> dict[str, int]:
    return {name: int(n) for name, n in re.findall(r'class="tile" data-status="(\w+)".*?<b>(\d+)</b>', html)}


@pytest.mark.parametrize("address", ADMINS)
def test_nobody_but_an_admin_sees_everybodys(address, client, as_alice) -> None:
    assert as_alice.get(address).status_code == 404
    assert "/login" in client.get(address).headers["Location"]


def test_the_counters_are_what_the_command_says(as_ada, alice, make_job, runner) -> None:
    for status in Status:
        scenes.in_status(make_job(alice), status)
    shown = tiles(text_of(as_ada, "/admin/metrics"))
    assert shown == {**{status.value: 1 for status in Status}, "total": 7}
    said = runner.invoke(args=["check-scraping-jobs", "--dry-run"]).output
    assert [int(n) for n in re.findall(r":\s+(\d+)$", said, re.M)][-8:] == [*count_by_status().values(), 7]


def test_the_counters_are_sent_again_only_when_they_have_changed(as_ada, alice, make_job) -> None:
    page = text_of(as_ada, "/admin/metrics")
    ask = re.search(r'hx-get="(/admin/metrics/live\?v=[^"]+)"', page)
    assert ask and as_ada.get(ask[1]).status_code == 204
    make_job(alice)
    assert tiles(text_of(as_ada, ask[1]))["pending"] == 1


def test_an_admin_sees_who_succeeds_and_sorts_by_it(as_ada, alice, bob, make_job) -> None:
    now = utcnow()
    scenes.completed(make_job(alice, now=now), now)
    scenes.completed(make_job(alice, now=now), now)
    scenes.failed(make_job(bob, now=now), now, final=True)
    rows = rows_of(as_ada, "/admin/metrics/people.csv?range=24h")
    assert [row[:3] for row in rows[1:]] == [["alice@example.com", "2", "2"], ["bob@example.com", "1", "0"]]
    assert [row[6] for row in rows[1:]] == ["1.0", "0.0"]
    by_failures = text_of(as_ada, "/admin/metrics?sort=-failed")
    assert by_failures.index("bob@example.com</th>") < by_failures.index("alice@example.com</th>")
    assert 'aria-sort="descending"' in by_failures
    assert text_of(as_ada, "/admin/metrics?sort=nothing&range=never&source=nowhere")


def test_everybody_sees_their_own_figures_alone(as_alice, alice, bob, make_job) -> None:
    now = utcnow()
    scenes.completed(make_job(alice, 3, now=now), now)
    scenes.completed(make_job(bob, 7, now=now), now)
    page = text_of(as_alice, "/figures")
    assert "1 file so far, with 3 numbers." in page and "bob@example.com" not in page
    total = [row[-1] for row in rows_of(as_alice, "/figures/numbers.csv?range=24h")[1:]]
    assert sum(map(int, total)) == 3 and len(total) == 24
    assert as_alice.get("/figures/people.csv").status_code == 404
    assert as_alice.get("/figures/nothing.csv").status_code == 404


def test_who_has_no_figures_yet_is_told_so(as_bob) -> None:
    page = text_of(as_bob, "/figures")
    assert "None of your files has finished yet" in page and "No files finished in this period." in page


@pytest.mark.parametrize("days", ["from=2026-05-05&to=2026-05-01", "from=2020-01-01&to=2026-05-01", "from=yesterday"])
def test_days_that_cannot_be_had_are_said_in_a_sentence(days, as_alice) -> None:
    page = text_of(as_alice, f"/figures?{days}")
    assert 'role="alert"' in page and "Choose a start date" in page


def test_a_day_is_the_readers_day(as_alice, alice, make_job) -> None:
    late = cast.NOW.replace(hour=22, minute=30)  # half past midnight of the next day in Madrid
    scenes.completed(make_job(alice), late)
    for day, files in (("2026-05-05", "0"), ("2026-05-06", "1")):
        rows = rows_of(as_alice, f"/figures/files.csv?from={day}&to={day}")
        assert len(rows) == 2 and rows[1][-1] == files


def test_no_cell_of_a_file_becomes_a_formula(app) -> None:
    made = Table("people", "", [Column("who", "=1+1", "word"), Column("n", "n", "share")], [["=cmd@example.com", 0.5]])
    with app.test_request_context():
        assert made.as_csv().decode("utf-8-sig").split() == ['"\'=1+1";"n"', '"\'=cmd@example.com";"0,5"']


def test_a_charts_bars_are_as_high_as_their_values() -> None:
    drawn = stacked("x", "", "", [Series("a", "good", [1, 3, 0]), Series("b", "bad", [0, 1, 0])], "xyz", list("xyz"))
    assert drawn.marks == [4, 2, 0] and drawn.width == 30
    assert [[part.height for part in bar.parts] for bar in drawn.bars] == [[25], [75, 25], []]
    assert [bar.words for bar in drawn.bars] == ["x\na: 1", "y\na: 3, b: 1", "z\n0"] and not drawn.before
    drawn = stacked("x", "", "", [Series("a", "good", [1, 3, 0])], "xyz", list("xyz"), [0, 8, 2])
    assert drawn.marks == [8, 4, 0] and drawn.before == "0,100.0 10,100.0 10,0.0 20,0.0 20,75.0 30,75.0"
    assert drawn.bars[1].words == "y\na: 3, before: 8"
    assert not stacked("x", "", "", [], "xyz", list("xyz"), [1, 2]).before, "a period of other pieces is no line"
    assert [nice(n) for n in (0, 1, 3, 9, 11, 41, 120, 999)] == [1, 1, 4, 10, 20, 50, 200, 1000]
    assert Span("hour", ()).starts == ()


def test_the_period_before_ends_where_this_one_begins_also_when_the_clock_changes() -> None:
    zone, now = ZoneInfo("Europe/Madrid"), datetime(2026, 10, 25, 12, 20, tzinfo=UTC)
    for span in (periods.last_hours(now, zone), periods.last_days(now, zone, 7), periods.last_days(now, zone, 90)):
        before = periods.preceding(span)
        assert before.borders[-1] == span.borders[0] and before.step == span.step
        assert span.step == "month" or len(before.borders) == len(span.borders)


def test_figures_say_what_they_were_in_the_period_before(as_alice, alice, make_job) -> None:
    for days in (1, 8, 9):
        scenes.completed(make_job(alice), utcnow() - timedelta(days=days))
    page = text_of(as_alice, "/figures?range=7d")
    assert '<li class="tile"><b>1</b><span>file finished</span><small>before: 2</small></li>' in page
    assert 'class="before" points="' in page


def test_the_day_on_which_a_file_goes_is_shown_before(app, as_alice, alice, make_job) -> None:
    job = scenes.completed(make_job(alice))
    running = make_job(alice)
    assert "Kept" not in text_of(as_alice, f"/jobs/{job.id}") + text_of(as_alice, "/")
    app.config["RETENTION_DAYS"] = 30
    assert "Jun 4" in text_of(as_alice, f"/jobs/{job.id}")
    assert "for 30 days after it finishes" in text_of(as_alice, f"/jobs/{running.id}")
    assert text_of(as_alice, "/").count("Kept until Jun 4, 2026") == 1


def test_after_its_day_its_owner_reads_what_it_was(app, as_alice, as_bob, alice, make_job) -> None:
    app.config["RETENTION_DAYS"] = 30
    job = scenes.completed(make_job(alice))
    assert list(expiry.expire_jobs(cast.NOW + timedelta(days=31), app.extensions["storage"]))
    db.session.commit()
    page = text_of(as_alice, f"/jobs/{job.id}")
    assert "its retention period ended" in page and "Upload again" in page and "<b>5</b>" in page
    assert cast.mobile(0) not in page
    assert as_bob.get(f"/jobs/{job.id}").status_code == 404
    for rest in ("live", "delete"):
        assert as_alice.get(f"/jobs/{job.id}/{rest}").status_code == 404
    assert as_alice.get(f"/jobs/{job.id}/results.xlsx").location == f"/jobs/{job.id}", "which explains it"
    assert as_alice.post(f"/jobs/{job.id}/retry").status_code == 404
    assert "clientes.xlsx" not in text_of(as_alice, "/")
