"""Badges: a status as a colour, a shape and a word."""

import pytest
from flask import Flask, get_template_attribute

from portal.documents.models import Reading
from portal.jobs.core.bulk_tables import OperationState
from portal.jobs.core.status import Status
from portal.notices.models import Delivery
from portal.sources.base import Outcome

TONES = {"ok", "busy", "soon", "wait", "warn", "bad", "off"}


@pytest.mark.parametrize("words", [Status, Reading, OperationState, Delivery, Outcome])
def test_every_status_has_a_tone_and_keeps_its_word(app: Flask, words: type[Status]) -> None:
    badge = get_template_attribute("_macros.html", "badge")
    for status in words:
        with app.test_request_context():
            html = str(badge(status, "Word"))
        tone = html.split('data-tone="')[1].split('"')[0]
        assert tone in TONES and f'data-status="{status.value}"' in html, status
