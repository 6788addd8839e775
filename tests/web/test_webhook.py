"""A person's own webhook on its page: alice sets it up, tries it and looks at what was sent."""

import re
from datetime import datetime

import pytest
from flask.testing import FlaskClient

from portal.accounts import User
from portal.database import db
from portal.notices.models import Channel, Delivery, Notice, NoticeSettings
from portal.notices.preferences import preferences_of
from portal.notices.webhook import settings

HERE = "/account/webhook"
ADDRESS = "https://example.org/hook?a=b"


def kept(user: User) -> NoticeSettings:
    db.session.rollback()
    return db.session.get_one(NoticeSettings, user.id, populate_existing=True)


def deliveries() -> list[Notice]:
    db.session.rollback()
    return list(db.session.query(Notice).filter_by(channel=Channel.WEBHOOK).order_by(Notice.id))


@pytest.fixture
def hooked(as_alice: FlaskClient) -> FlaskClient:
    assert as_alice.post(HERE, data={"address": f"  {ADDRESS} "}).status_code == 303
    return as_alice


def test_alice_sets_an_address_and_gets_a_key_that_stays_when_the_address_changes(
    hooked: FlaskClient, alice: User
) -> None:
    page = hooked.get(HERE).text
    key = re.search(r"mfwh_[\w-]{40,}", page)
    assert key and f'value="{ADDRESS}"' in page
    hooked.post(HERE, data={"address": "https://example.org/other"})
    assert kept(alice).webhook_url == "https://example.org/other"
    assert key[0] in hooked.get(HERE).text
    assert hooked.get("/account").text.count(">Off<") == 1, "only the second step is off"


def test_a_new_key_takes_the_place_of_the_old_one(hooked: FlaskClient, alice: User) -> None:
    before = kept(alice).webhook_secret
    assert hooked.post(f"{HERE}/key").status_code == 303
    assert kept(alice).webhook_secret != before
    assert before not in hooked.get(HERE).text


REFUSED = {
    "example.org": "The address must begin with https://.",
    "http://example.org/": "The address must begin with https://.",
    "https://192.168.1.1/": "is in a private network",
    "https://example.org:22/": "can only use port 443 or 8443",
    "https://a:b@example.org/": "must not contain a user name",
    "https://": "This address is not valid.",
}


def test_an_address_that_cannot_be_used_is_said_and_what_was_there_stays(hooked: FlaskClient, alice: User) -> None:
    for address, words in REFUSED.items():
        answer = hooked.post(HERE, data={"address": address})
        assert answer.status_code == 422
        assert words in answer.text and f'value="{address}"' in answer.text
        assert 'role="alert"' in answer.text
        assert kept(alice).webhook_url == ADDRESS


def test_an_empty_address_switches_it_off(hooked: FlaskClient, alice: User) -> None:
    page = hooked.post(HERE, data={"address": ""}, follow_redirects=True).text
    assert "The webhook is switched off." in page
    assert kept(alice).webhook_url is None
    assert "Send a test</button>" not in page


def test_a_test_is_written_and_stands_on_the_page(hooked: FlaskClient, alice: User) -> None:
    page = hooked.post(f"{HERE}/tests", follow_redirects=True).text
    assert "A test will be sent within a minute." in page
    (one,) = deliveries()
    assert (one.kind, one.user_id, one.state) == ("webhook_test", alice.id, Delivery.DUE)
    assert f'id="delivery-{one.id}"' in page
    assert "hx-trigger" in hooked.get(HERE, headers={"HX-Request": "true"}).text  # asked for again until it is sent


def test_without_an_address_no_test_is_sent(as_alice: FlaskClient) -> None:
    page = as_alice.post(f"{HERE}/tests", follow_redirects=True).text
    assert "the webhook is switched off" in page
    assert deliveries() == []


def test_what_was_sent_is_shown_with_its_answer_and_can_be_sent_again(
    hooked: FlaskClient, alice: User, now: datetime
) -> None:
    settings.send_test(alice.id, now)
    (one,) = deliveries()
    one.state, one.answer, one.tries = Delivery.DEAD, "500 <b>oops</b>", 30
    db.session.commit()
    assert "500 &lt;b&gt;oops" in hooked.get(HERE).text
    assert hooked.post(f"{HERE}/deliveries/{one.id}/again").status_code == 303
    assert deliveries()[0].state == Delivery.DUE
    again = hooked.post(f"{HERE}/deliveries/{one.id}/again", follow_redirects=True).text
    assert "Nothing was sent: other messages are still being sent." in again


def test_bob_can_neither_see_nor_repeat_what_alice_was_sent(
    hooked: FlaskClient, as_bob: FlaskClient, alice: User, now: datetime
) -> None:
    settings.send_test(alice.id, now)
    (one,) = deliveries()
    one.state = Delivery.SENT
    db.session.commit()
    assert as_bob.post(f"{HERE}/deliveries/{one.id}/again").status_code == 404
    assert as_bob.post(f"{HERE}/deliveries/{2**40}/again").status_code == 404
    assert f"delivery-{one.id}" not in as_bob.get(HERE).text
    assert deliveries()[0].state == Delivery.SENT


def test_a_stranger_goes_to_the_login_and_no_get_changes_anything(client: FlaskClient, as_alice: FlaskClient) -> None:
    assert client.post(HERE).location.startswith("/login")
    for path in ("/key", "/tests", "/deliveries/1/again"):
        assert client.post(f"{HERE}{path}").location.startswith("/login")
        assert as_alice.get(f"{HERE}{path}").status_code == 405


def test_a_webhook_that_was_switched_off_says_so(hooked: FlaskClient, alice: User, now: datetime) -> None:
    settings.switch_off(alice.id, ADDRESS, now)
    page = hooked.get(HERE).text
    assert "answered that it no longer exists" in page and "Send a test</button>" not in page
    assert "Switched off" in hooked.get("/account").text
    hooked.post(HERE, data={"address": ADDRESS})
    assert "no longer exists" not in hooked.get(HERE).text


def test_an_address_that_is_too_long_is_refused_and_not_clipped(as_alice: FlaskClient, alice: User) -> None:
    answer = as_alice.post("/account/webhook", data={"address": f"https://example.com/{'x' * 1000}"})
    assert answer.status_code == 422 and 'role="alert"' in answer.text
    assert preferences_of(alice.id).webhook_url is None
