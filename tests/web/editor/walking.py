"""The steps of the editor of sources, as ada takes them through its pages."""

import html
import re

from flask.testing import FlaskClient

from portal.database import db
from portal.jobs.worker import tasks
from portal.sources import registry
from portal.sources.base import Outcome, Source
from portal.sources.drafts import DraftSample

SENT = "+34612345678"
PRICE = {"price": "0", "currency": "EUR"}
OFFER = {"title_es": "Operador", "title_en": "Operator", "name": "mine", "rate": "50", "offer": "yes"}


def paste(client: FlaskClient, command: str) -> str:
    """Paste a command, and return the draft's address."""
    answer = client.post("/admin/editor", data={"command": command})
    assert answer.status_code == 303, answer.get_data(as_text=True)
    return answer.location.rpartition("/")[0]


def ask(client: FlaskClient, here: str, **numbers: str) -> None:
    """Ask with these numbers, and be the worker."""
    answer = client.post(f"{here}/samples", data={"exists": SENT, **PRICE, **numbers})
    assert answer.status_code == 303, answer.get_data(as_text=True)
    work()


def work() -> None:
    """Be the worker, in the order of the questions."""
    for row in db.session.query(DraftSample).filter_by(taken_at=None).order_by(DraftSample.id):
        tasks.take_sample(row.id)


def press(client: FlaskClient, here: str, *values: str) -> None:
    """Press these values of the first answer."""
    for value in values:
        page = client.get(f"{here}/answers").get_data(as_text=True)
        rows = re.findall(r'name="add" value="(\d+)".*?<span class="value">(.*?)</span>', page)
        place = next(number for number, text in rows if html.unescape(text) == value)
        sample = re.search(r"fields\?sample=(\d+)", page)
        assert sample is not None
        client.post(f"{here}/fields?sample={sample[1]}", data={"add": place})


def accept(client: FlaskClient, here: str) -> str:
    """Use every proposed rule, and return the page after it."""
    page = client.get(f"{here}/rules").get_data(as_text=True)
    ticked = [html.unescape(one) for one in re.findall(r'name="accept" value="(.*?)"', page)]
    missing = re.search(r'name="missing" value="(\w+)"', page)
    client.post(f"{here}/rules", data={"accept": ticked, "missing": missing[1] if missing else ""})
    return client.get(f"{here}/rules").get_data(as_text=True)


def offered_with_operator(client: FlaskClient, here: str) -> Source:
    """Ask, take the operator from the answer, and offer the source: it answers as the API does."""
    ask(client, here, unknown="+34612345677")
    press(client, here, "Lycamobile")
    accept(client, here)
    assert client.post(f"{here}/offer", data=OFFER).status_code == 303
    source = registry.get("mine")
    assert dict(source.lookup(SENT).fields) == {"operator": "Lycamobile"}
    assert source.lookup("+34612345677").outcome == Outcome.NOT_FOUND
    return source
