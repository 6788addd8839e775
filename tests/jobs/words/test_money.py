"""An amount is written as people read it, in its currency or in credits."""

import pytest
from flask import Flask
from flask_babel import force_locale

from portal.jobs.words.money import money_words
from portal.sources.money import BILLIONTHS


@pytest.mark.parametrize(
    ("billionths", "currency", "spanish", "english"),
    [
        (14 * BILLIONTHS, "EUR", "14,00 €", "€14.00"),
        (4_500_000, "EUR", "0,0045 €", "€0.0045"),
        (1 * BILLIONTHS, "credits", "1 crédito", "1 credit"),
        (1_500_000_000, "credits", "1,5 créditos", "1.5 credits"),
        (1240 * BILLIONTHS, "credits", "1.240 créditos", "1,240 credits"),
        (None, "EUR", "", ""),
    ],
)
def test_an_amount_is_written_with_its_currency(
    app: Flask, billionths: int | None, currency: str, spanish: str, english: str
) -> None:
    for locale, words in (("es", spanish), ("en", english)):
        with app.test_request_context(), force_locale(locale):
            assert money_words(billionths, currency).replace("\xa0", " ") == words
