"""What the check page says of itself: the state it is in, and what was found and not only supposed."""

from io import BytesIO

from flask import Flask
from flask.testing import FlaskClient

from portal.clock import utcnow
from portal.documents import intake
from portal.documents.reader.limits import ReadLimits

FRAGMENT = {"HX-Request": "true"}


def uploaded(app: Flask, client: FlaskClient, content: bytes) -> str:
    answer = client.post("/documents", data={"file": (BytesIO(content), "lista.csv")})
    reading = client.get(answer.location).text
    assert 'data-status="reading"' in reading
    assert 'hx-trigger="load delay:200ms,' in reading, "a small file is read long before a second has gone"
    intake.read_document(int(answer.location.rsplit("/", 1)[1]), app.extensions["storage"], ReadLimits(), utcnow())
    return str(answer.location)


def test_the_part_that_is_exchanged_carries_the_new_state(app: Flask, as_alice: FlaskClient) -> None:
    page = uploaded(app, as_alice, b"telefono\n612345678\n")
    news = as_alice.get(f"{page}/live?v=reading", headers=FRAGMENT).text
    assert 'data-status="ready"' in news and "reading" not in news


def test_a_column_is_said_to_be_found_only_when_numbers_stand_in_it(app: Flask, as_alice: FlaskClient) -> None:
    found = as_alice.get(uploaded(app, as_alice, b"nombre,telefono\nAna,612345678\n")).text
    assert 'id="column-hint"><span class="guess">' in found
    supposed = as_alice.get(uploaded(app, as_alice, b"nombre,ciudad\nAna,Soria\nLuis,Lugo\n")).text
    assert 'id="column-hint">' in supposed and 'id="column-hint"><span class="guess">' not in supposed
