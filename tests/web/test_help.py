"""The help pages: each exists in both languages, is linked from the place of doubt, and says nothing that is not so."""

import re
from html.parser import HTMLParser

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.accounts import User
from portal.config import LOCALES, ROOT
from portal.database import db
from portal.jobs.core.status import CellStatus, Status
from portal.web.help.pages import PAGES, HelpGroup
from tests.support.catalogue import messages
from tests.test_glossary import offenders

TEMPLATES = ROOT / "templates"
UI = re.compile(r"""\bui\("([^"]+)"\)""")
MARK = re.compile(r"""\bhelp\("([^"]+)"\)|slug=["']([\w-]+)["']""")
LANGUAGES = {"en": "English", "es": "Spanish"}


class Text(HTMLParser):
    """The words, links and ids of a page's main part."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.words = ""
        self._inside = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self._inside += tag == "main"
        self.ids.add(found.get("id") or "")
        if tag == "a" and self._inside:
            self.links.append(found.get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        self._inside -= tag == "main"

    def handle_data(self, data: str) -> None:
        self.words += data if self._inside else ""


def speak(user: User, locale: str) -> None:
    user.locale = locale
    db.session.commit()


def test_each_page_is_written_in_each_language_and_nothing_else_is() -> None:
    for locale in LOCALES:
        assert {path.stem for path in (TEMPLATES / "help" / locale).glob("*.html")} == set(PAGES), locale


@pytest.mark.parametrize("locale", LOCALES)
def test_a_page_says_what_pages_say_and_its_links_lead_somewhere(as_ada: FlaskClient, ada: User, locale: str) -> None:
    speak(ada, locale)
    index = Text(as_ada.get("/help").text)
    assert [f"/help/{slug}" for slug in PAGES] == index.links
    known: dict[str, Text] = {}
    for slug in PAGES:
        answer = as_ada.get(f"/help/{slug}")
        assert answer.status_code == 200 and f'<html lang="{locale}"' in answer.text, slug
        text = known[f"/help/{slug}"] = Text(answer.text)
        assert offenders(LANGUAGES[locale], [text.words]) == [], slug
        assert 40 < len(text.words.split()) < 320, f"{slug} is no short answer"
    for slug, text in list(known.items()):
        for link in filter(lambda link: link.startswith("/"), text.links):
            path, _, anchor = link.partition("#")
            if path not in known:
                answer = as_ada.get(path)
                assert answer.status_code == 200, (slug, link)
                known[path] = Text(answer.text)
            assert not anchor or anchor in known[path].ids, (slug, link)


def test_the_words_that_a_page_sets_apart_are_words_of_the_portal() -> None:
    said = {message.id if isinstance(message.id, str) else message.id[0] for message in messages()}
    for path in (TEMPLATES / "help").rglob("*.html"):
        unknown = set(UI.findall(path.read_text())) - said
        assert not unknown, (path.name, unknown)
        assert "<b>" not in path.read_text(), f"{path.name}: name a button by ui(…)"


def test_each_page_is_linked_from_where_somebody_may_doubt() -> None:
    linked = {
        slug
        for path in TEMPLATES.rglob("*.html")
        if "help" not in path.parent.parts
        for found in MARK.findall(path.read_text())
        for slug in found
        if slug
    }
    assert linked - set(PAGES) == set(), "these help pages do not exist"
    assert set(PAGES) - linked == set(), "no page links to these"


def test_the_glossary_of_statuses_and_answers_has_them_all(as_alice: FlaskClient) -> None:
    for slug, words in (("statuses", tuple(Status)), ("outcomes", tuple(CellStatus))):
        page = as_alice.get(f"/help/{slug}").text
        said = re.findall(r'data-status="(\w+)">[^<]+</span></dt><dd>([^<]+)</dd>', page)
        assert [code for code, sentence in said if sentence.strip()] == [word.value for word in words]


def test_limits_are_those_of_the_portal_and_of_the_person(app: Flask, as_alice: FlaskClient, alice: User) -> None:
    app.config |= {"MAX_UPLOAD_MB": 37, "RETENTION_DAYS": 41}
    alice.max_rows, alice.files_per_day = 12_345, 17
    db.session.commit()
    page = as_alice.get("/help/limits").text
    assert all(f'<dd class="num">{value}' in page for value in ("12,345", "37 MB", "17", "41"))
    assert "12,345 rows and 37 MB" in as_alice.get("/help/file-types").text


def test_pages_for_administrators_are_not_there_for_others(as_alice: FlaskClient) -> None:
    index = as_alice.get("/help").text
    for page in PAGES.values():
        hidden = page.group == HelpGroup.ADMIN
        assert as_alice.get(f"/help/{page.slug}").status_code == (404 if hidden else 200)
        assert (f"/help/{page.slug}" in index) != hidden
    assert as_alice.get("/help/nothing").status_code == 404


def test_people_ask_the_administrators_unless_one_of_them_says_whom(as_ada: FlaskClient, as_alice: FlaskClient) -> None:
    page = as_alice.get("/help/contact").text
    assert "mailto:ada@example.com" in page and "<textarea" not in page
    assert as_ada.post("/admin/contact", data={"contact": " Luis, ext. 12 \n ayuda@example.com <b>"}).status_code == 303
    page = as_alice.get("/help/contact").text
    assert 'Luis, ext. 12\n<a href="mailto:ayuda@example.com">ayuda@example.com</a> &lt;b&gt;' in page
    assert "ada@example.com" not in page
    assert "changed who to ask" in as_ada.get("/admin/audit").text
    as_ada.post("/admin/contact", data={"contact": "  "})
    assert "mailto:ada@example.com" in as_alice.get("/help/contact").text
