"""What is left at a source is asked for seldom, shown with its time, and warned of once; so is a cap at 80 per cent."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from flask_babel import force_locale
from redis import Redis
from sqlalchemy import select

from portal.database import db
from portal.jobs.core.spending_tables import CapScope
from portal.jobs.shares import Holding
from portal.jobs.spending import balances, caps, reservations
from portal.jobs.spending.reservations import Account
from portal.notices.email.build import WRITERS
from portal.notices.models import Notice
from portal.notices.recipient import recipient_of
from portal.sources.recipes.loader import read_recipe
from tests.sources.http.test_cost import TEXT
from tests.support.cast import NOW
from tests.support.provider import Answered, Asked, provider
from tests.support.recipes import registered

BALANCE = """
[cost]
price = 0.01
currency = "EUR"
[balance]
url = "{url}/account"
headers = {{ Authorization = "Bearer {{secret:TEST_KEY}}" }}
field = "account.credit"
warn_below = 20
"""


def answer(asked: Asked) -> Answered:
    return Answered({"account": {"credit": "12.40"}} if asked.path == "/account" else {"operator": "Orange"})


def test_the_balance_is_asked_for_once_an_hour_and_admins_are_warned_once(
    app, ada, alice, make_job, valkey: str, tmp_path: Path
) -> None:
    app.extensions["redis"] = redis = Redis.from_url(valkey, decode_responses=True)
    with provider(answer) as server:
        path = tmp_path / "my.toml"
        cost = BALANCE.format(url=server.url)
        path.write_text(TEXT.format(url=server.url, cost=cost, more="", cache=0))
        with registered(read_recipe(path), redis=redis):
            job = make_job(alice, 3, source="priced")
            balances.ask_after(job.id, NOW)
            (left,) = balances.known(NOW)
            assert (left.amount, left.currency, left.is_low) == (Decimal("12.40"), "EUR", True)
            balances.ask_after(job.id, left.at + timedelta(minutes=59))
            assert server.paths["/account"] == 1
            balances.ask_after(job.id, left.at + timedelta(minutes=61))
            assert server.paths["/account"] == 2
            assert list(balances.warn(NOW)) == ["priced"] and not list(balances.warn(NOW))
    (notice,) = db.session.scalars(select(Notice)).all()
    assert (notice.kind, notice.user_id) == ("money_low", ada.id)
    with force_locale("en"):
        email = WRITERS[notice.kind](notice, recipient_of(ada), "http://portal")
    assert "12.40 EUR" in email.lead


def test_a_cap_is_warned_of_at_80_per_cent(app, ada, alice) -> None:
    cent = 10**7
    caps.set_cap(CapScope.PORTAL, "", "EUR", 100 * cent, "ada", NOW)
    account = Account(alice.id, "priced", "EUR")
    for spent, warned in ((79, []), (1, ["portal"]), (5, [])):
        month = reservations.month_of(NOW)
        reservations.settle(Holding(0, 0, 0), account, month, released=0, spent=spent * cent, unsure=0)
        db.session.commit()
        assert list(balances.warn(NOW)) == warned
    notice = db.session.scalars(select(Notice)).one()
    with force_locale("en"):
        assert "0.80 EUR of 1.00 EUR" in WRITERS[notice.kind](notice, recipient_of(ada), "").lead
