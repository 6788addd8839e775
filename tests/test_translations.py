"""The Spanish catalogue: it has every sentence of the code and no other, whole and in good order."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from gettext import GNUTranslations
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_keywords, parse_mapping_cfg
from babel.messages.mofile import write_mo
from jinja2 import Environment, nodes

from portal.config import ROOT
from tests.support.catalogue import SPANISH, both_texts, catalogue, messages

LAZY = "lazy_gettext lazy_ngettext:1,2 lazy_pgettext:1c,2"  # what Babel does not look for by itself
MARKS = {"_", "N_", "gettext", "ngettext", "pgettext", "npgettext", "lazy_gettext", "lazy_ngettext", "lazy_pgettext"}
PLACEHOLDER = re.compile(r"%(?:\(\w+\)[sd]|%)")

Sentence = tuple[str | None, str | tuple[str, str]]  # its context, and its text or its two


def sentence_of(message: Message) -> Sentence:
    return message.context, message.id  # type: ignore[return-value]


@cache
def in_the_code() -> frozenset[Sentence]:
    """Every sentence that `pybabel extract` finds with the options of the README."""
    with (ROOT / "babel.cfg").open() as config:
        methods, options = parse_mapping_cfg(config)
    catalog = Catalog()
    for _file, line, text, _comments, context in extract_from_dir(
        str(ROOT), methods, options, DEFAULT_KEYWORDS | parse_keywords(LAZY.split())
    ):
        catalog.add(text, context=context, locations=[(_file, line)])
    return frozenset(sentence_of(message) for message in catalog if message.id)


def marked(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of every literal that a file hands to gettext, found without Babel."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MARKS:
            for argument in node.args:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield node.lineno, argument.value
                elif isinstance(argument, ast.JoinedStr):
                    yield node.lineno, "an f-string, which no catalogue can have"


def test_spanish_has_every_sentence_of_the_code_and_no_other() -> None:
    translated = {sentence_of(message) for message in messages()}
    assert len(translated) > 300
    assert in_the_code() - translated == set(), "new in the code: see Translations in the README"
    assert translated - in_the_code() == set(), "no longer in the code"
    assert not catalogue().obsolete


def test_no_sentence_hides_from_the_extraction() -> None:
    known = {
        text for context, id in in_the_code() for text in (context, *((id,) if isinstance(id, str) else id)) if text
    }
    hidden = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in sorted((ROOT / "portal").rglob("*.py"))
        for line, text in marked(path)
        if text not in known
    ]
    assert not hidden


def test_templates_mark_literals_only() -> None:
    """`_(word)` shows a word that the extraction never saw, in English and without a fault."""
    parser = Environment(autoescape=True)
    wrong = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in sorted((ROOT / "templates").rglob("*.*"))
        for call in parser.parse(path.read_text()).find_all(nodes.Call)
        if isinstance(call.node, nodes.Name)
        and call.node.name in MARKS
        and not all(isinstance(text, nodes.Const) for text in call.args[: 2 if "ngettext" in call.node.name else 1])
    ]
    assert not wrong


def test_the_readme_names_the_extraction_that_is_tested_here() -> None:
    assert f'pybabel -q extract -F babel.cfg -k "{LAZY}"' in (ROOT / "README.md").read_text()


def test_nothing_is_empty_or_a_guess() -> None:
    assert not [message.id for message in messages() if message.fuzzy]
    assert not [english for message in messages() for english, spanish in both_texts(message) if not spanish.strip()]


def test_every_translation_has_the_placeholders_of_its_sentence() -> None:
    wrong = [
        (english, spanish)
        for message in messages()
        for english, spanish in both_texts(message)
        if set(PLACEHOLDER.findall(english)) != set(PLACEHOLDER.findall(spanish))
    ]
    assert not wrong
    checked = [(message.id, error) for message in messages() for error in message.check(catalogue())]
    assert not checked


def test_a_sentence_takes_its_facts_by_name_and_is_no_f_string() -> None:
    wrong = [
        english
        for message in messages()
        for english, _ in both_texts(message)
        if "{" in english or re.search(r"%[sd]", english)
    ]
    assert not wrong


def test_a_translation_begins_and_ends_like_its_sentence() -> None:
    """A missing full stop, a lost space and a lower-case beginning are seen at once by who reads it."""
    ends = re.compile(r"[.:…?]?\s*$")

    def differs(english: str, spanish: str) -> bool:
        if english.strip() != english or spanish.strip() != spanish:
            return True
        first, other = english.lstrip("“"), spanish.lstrip("¿¡«")
        if first[0].isalpha() and other[0].isalpha() and first[0].isupper() != other[0].isupper():
            return True
        return ends.search(english).group() != ends.search(spanish).group()  # type: ignore[union-attr]

    pairs = [pair for message in messages() for pair in both_texts(message)]
    assert not [pair for pair in pairs if differs(*pair)]


def test_the_catalogue_compiles(tmp_path: Path) -> None:
    compiled = tmp_path / "messages.mo"
    with compiled.open("wb") as file:
        write_mo(file, catalogue())
    with compiled.open("rb") as file:
        spoken = GNUTranslations(file)
    assert spoken.gettext("Sign in") == "Iniciar sesión"
    forms = [spoken.ngettext("%(n)s row", "%(n)s rows", n) for n in (0, 1, 2)]
    assert forms == ["%(n)s filas", "%(n)s fila", "%(n)s filas"]


def test_make_has_compiled_it() -> None:
    """What the portal and the other tests read; `make test` and `make run` do it, `make translations` does only it."""
    compiled = SPANISH.with_suffix(".mo")
    assert compiled.exists(), "run `make translations`"
    assert compiled.stat().st_mtime >= SPANISH.stat().st_mtime, "run `make translations`"


def test_the_catalogue_carries_no_names_dates_or_line_numbers() -> None:
    text = SPANISH.read_text()
    assert not re.search(r"^#: .*:\d", text, re.MULTILINE)
    assert not re.search(r"/(?:home|work|tmp|root)/|@(?!example\.com)\w+\.\w+", text)
