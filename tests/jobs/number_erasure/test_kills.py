"""A real process that erases a number is killed in the middle, again and again: the sweep goes on with the order, and
at the end nothing of the number is left."""

import io
import signal
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from portal.clock import utcnow
from portal.database import db
from portal.jobs import uploads
from portal.jobs.core.erasure_tables import Erasure, ErasureState, ReplacedFile
from portal.jobs.number_erasure.runner import LEASE_SECONDS
from portal.notices.models import Notice
from portal.sources.base import Outcome
from portal.sources.models import CachedAnswer
from tests.jobs.number_erasure.test_number_erasure import GONE, OTHER, clients, left, ods, order
from tests.services import wait_until
from tests.support import cast
from tests.support.preloaded import Preloaded
from tests.support.world import World, send, world
from tests.web.check_page import read

pytestmark = pytest.mark.slow
FILES = 10
AT = [(ErasureState.FILES, 1), (ErasureState.FILES, 4), (ErasureState.FILES, 8)]  # after so many files


def fill(place: World) -> None:
    """Files of several kinds with the number, one that is started, a kept answer and a notice."""
    alice, storage = cast.make_user("alice@example.com"), place.app.extensions["storage"]
    made = [(clients(), "clientes.xlsx"), (ods(), "clientes.ods"), (f"Tel\n{GONE}\n{OTHER}\n".encode(), "lista.csv")]
    for n in range(FILES):
        content, name = made[n % len(made)]
        document = uploads.store_upload(io.BytesIO(content), name, alice.id, storage, 10**7, utcnow())
        read(place.app, document.id)
    place.make_job(alice, [GONE, OTHER], push=False)
    for number in (GONE, OTHER):
        row = CachedAnswer(source="journal", e164=f"+34{number}", fields={"seen": number}, version="1")
        row.outcome, row.answered_at = Outcome.FOUND, utcnow()
        db.session.add(row)
    notice = Notice(dedupe="a", kind="job_completed", user_id=alice.id, created_at=utcnow(), due_at=utcnow())
    notice.facts = {"file_name": f"{GONE}.xlsx", "n": 3}
    db.session.add(notice)
    db.session.commit()


def where_left(place: World) -> list[str]:
    """Where the number still is. SQLite's locks are a process's: one that opens and closes the file loses them."""
    db.session.remove()
    db.engine.dispose()
    return left(place.app)


def let_lease_end(order_id: int) -> None:
    """Let the dead worker's lease be over. A clock that is set ahead does so only on SQLite: PostgreSQL has its own."""
    over = utcnow() - timedelta(seconds=1)
    db.session.execute(update(Erasure).where(Erasure.id == order_id).values(lease_until=over))
    db.session.commit()
    db.session.remove()
    db.engine.dispose()


def test_killed_in_the_middle_the_sweep_goes_on_until_nothing_is_left(tmp_path: Path, forks: Preloaded) -> None:
    with world(tmp_path, forks) as place:
        fill(place)
        order_id = order(cast.make_user("ada@example.com", admin=True))
        assert len(where_left(place)) > FILES

        def at() -> tuple[str, int]:
            return place.query("SELECT state, after_id FROM erasures WHERE id = ?", order_id)[0]

        def has_reached(state: str, after: int) -> bool:
            now, done = at()
            return now != ErasureState.NUMBERS and (now != state or done >= after)

        ahead, killed_at = 0.0, []
        for state, after in AT:
            worker = place.start("intake")
            place.sweep(ahead)
            wait_until(lambda state=state, after=after: has_reached(state, after), 60, f"{state} {after}")
            horses = worker.horses()
            worker.kill()
            for horse in horses:
                send(horse, signal.SIGKILL)
            killed_at.append(at())
            let_lease_end(order_id)
            ahead += LEASE_SECONDS + 60  # the sweep pushes an order again only after a while
        assert any(state == ErasureState.FILES for state, _ in killed_at), killed_at
        assert where_left(place)  # it was in the middle
        place.start("intake")

        def is_done() -> bool:
            place.sweep(ahead)
            return at()[0] == ErasureState.DONE

        wait_until(is_done, 60, "the order is over")
        assert where_left(place) == []
        attempts = place.query("SELECT attempt FROM erasures WHERE id = ?", order_id)[0][0]
        assert attempts > len(set(killed_at))
        db.session.rollback()
        assert not db.session.scalars(select(ReplacedFile).where(ReplacedFile.gone_at.is_(None))).all()
        assert place.query("SELECT count(*) FROM numbers WHERE e164 = ?", f"+34{OTHER}") == [(1,)]
