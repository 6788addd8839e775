"""What may not stand in a template: the policy of the pages forbids anything inline, and escaping needs quotes."""

import re
from pathlib import Path

import pytest
from jinja2 import Environment, nodes
from jinja2.ext import Extension

ROOT = Path(__file__).resolve().parent.parent / "templates"
PAGES = sorted(path for path in ROOT.rglob("*.html"))
LETTERS = ROOT / "emails"  # a mail program has no stylesheet of ours: a letter carries its styles in itself
# A help page has a template in each language.
TRANSLATED = [page for page in PAGES if page.parent.parent != ROOT / "help"]
OWN_STYLES = ("an inline style", "a style element")

FORBIDDEN = {
    "an inline handler": r"<[^>{]*\son[a-z]+\s*=",
    "an inline style": r"<[^>]*\sstyle\s*=",
    "a style element": r"<style\b",
    "an inline script": r"<script\b(?![^>]*\ssrc=)",
    "hx-on": r"\shx-on\b",
    "a script in a value": r"""["'](?:javascript|js):""",
    "a filter in hx-trigger, which needs eval": r"""hx-trigger\s*=\s*["'][^"']*\w\[""",
    "|safe": r"\|\s*safe\b",
    "autoescape off": r"autoescape\s+false",
    "Markup": r"\bMarkup\b",
    "an attribute without quotes": r"""<[a-zA-Z][^>]*\s[a-zA-Z:-]+=(?!["'])""",
    # From an address with a # a browser does not load the page again, but only looks for what is named so.
    "a reload without its address": r"""http-equiv\s*=\s*["']refresh["']\s+content\s*=\s*["'][^"']*\d["']""",
    "another host": r"""(?:src|href|action)\s*=\s*["'](?:https?:)?//""",
}

BAD = {
    "an inline handler": '<a href="x" onclick="go()">',
    "an inline style": '<p class="a" style="width: 1px">',
    "a style element": "<style>p {}</style>",
    "an inline script": "<script>go()</script>",
    "hx-on": '<p hx-on:click="go()">',
    "a script in a value": '<a href="javascript:go()">',
    "a filter in hx-trigger, which needs eval": '<p hx-trigger="click[ctrlKey]">',
    "a reload without its address": '<meta http-equiv="refresh" content="2">',
    "|safe": "{{ text | safe }}",
    "autoescape off": "{% autoescape false %}",
    "Markup": "{{ Markup(text) }}",
    "an attribute without quotes": '<a href="{{ x }}" title={{ text }}>',
    "another host": '<script src="https://elsewhere.example/x.js"></script>',
}


class _AnyTag(Extension):
    """Lets the parser read `{% trans %}` should one be used; nothing is made of it."""

    tags = {"trans"}

    def parse(self, parser):  # type: ignore[no-untyped-def]
        raise AssertionError("say it with _() so that every sentence is found in one way")


def found_in(text: str, rule: str) -> list[str]:
    text = re.sub(r"\{#.*?#\}", "", text, flags=re.S)
    if rule == "an attribute without quotes":  # look at the skeleton alone: a value may hold = and >
        text = re.sub(r"\{%.*?%\}", " ", re.sub(r"\{\{.*?\}\}", "X", text, flags=re.S), flags=re.S)
        text = re.sub(r'"[^"]*"', '""', text)
    return [hit.group() for hit in re.finditer(FORBIDDEN[rule], text, flags=re.S)]


@pytest.mark.parametrize("rule", FORBIDDEN)
def test_no_template_has(rule: str) -> None:
    pages = [page for page in PAGES if rule not in OWN_STYLES or not page.is_relative_to(LETTERS)]
    hits = {str(page.relative_to(ROOT)): found for page in pages if (found := found_in(page.read_text(), rule))}
    assert hits == {}


@pytest.mark.parametrize("rule", FORBIDDEN)
def test_the_lint_sees(rule: str) -> None:
    assert found_in(BAD[rule], rule)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_form_that_changes_something_carries_a_token(page: Path) -> None:
    text = page.read_text()
    for form in re.findall(r"<form\b.*?</form>", text, flags=re.S):
        if re.search(r'method="post"', form[: form.index(">")] + ">"):
            assert "csrf()" in form or 'name="csrf_token"' in form, form[:200]


@pytest.mark.parametrize("page", TRANSLATED, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_sentence_is_marked_for_translation(page: Path) -> None:
    """Text between tags that has a word of two or more letters must come from the catalogue."""
    text = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<!--.*?-->", "", page.read_text(), flags=re.S)
    text = re.sub(r"<(code|kbd|style)>.*?</\1>", "", text, flags=re.S)
    words = [part.strip() for part in re.split(r"<[^>]*>", text)]
    allowed = {"· Masterfilter", "Masterfilter"}
    assert [part for part in words if re.search(r"[^\W\d_]{2,}", part) and part not in allowed] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_template_can_be_read(page: Path) -> None:
    tree = Environment(extensions=[_AnyTag], autoescape=True).parse(page.read_text())
    assert isinstance(tree, nodes.Template)


def test_there_are_templates() -> None:
    assert len(PAGES) >= 6
