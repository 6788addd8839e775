"""Writes where an element of a page or of XML is, as shortly and as stably as it can: by an id, a class, the label
beside it, or the way to it. Each finds that element first. Nothing is evaluated here: an answer that is made to be slow
costs one walk over it."""

import re
from collections import Counter
from typing import Any

from lxml import etree

HIDDEN = frozenset(
    ("script", "style", "noscript", "template", "svg", "iframe", "object", "head", "link", "meta", "nav")
)
_WORD = re.compile(r"[A-Za-z_][\w-]{0,60}")
# Names that a program has made, and makes anew.
_MADE = re.compile(r"\d{3,}|[a-z]+-[0-9a-f]{5,}|^(?:css|sc|jss|ng|_)-?[\w-]*\d", re.IGNORECASE)
MOST_TRIED = 400  # elements whose place is looked for
MOST_SIBLINGS = 200
VALUES = ("td", "dd", "span", "div", "strong", "b", "p")  # elements that may stand beside a label
LABELS = ("th", "td", "dt", "span", "label", "strong", "b", "div")


def local(name: Any) -> str:
    """A name without its namespace."""
    return str(name).rpartition("}")[2]


def local_name(element: Any) -> str:
    return local(element.tag)


def _literal(text: str) -> str:
    """A text in an XPath."""
    return f"'{text}'" if "'" not in text else f'"{text}"'


class _Selectors:
    """What both have: the text of an element, and the words that lead to it."""

    def __init__(self, root: Any) -> None:
        self._root, self._tried = root, 0

    def text_of(self, element: Any) -> str:
        """The text that is the element's own, with that of what only marks words up in it."""
        own = (element.text or "") + "".join(child.tail or "" for child in element)
        if not own.strip():
            return ""
        return str(element.xpath("string(.)"))[:2000]

    def _may_try(self) -> bool:
        self._tried += 1
        return self._tried <= MOST_TRIED


class PageSelectors(_Selectors):
    """Of a web page. What is first by an id, a class or a label is looked up once for the whole page."""

    def __init__(self, root: Any) -> None:
        super().__init__(root)
        self._first: dict[str, Any] = {}
        for element in root.iter(etree.Element):
            for one in self._own(element):
                self._first.setdefault(one, element)
            if label := self._label(element):
                self._first.setdefault(self._by_label(element, label), element)

    def is_interesting(self, name: str, value: str) -> bool:
        return bool(value.strip()) and (name in ("content", "value", "datetime", "alt") or name.startswith("data-"))

    def keys_of(self, element: Any) -> tuple[str, ...]:
        label = self._label(element)
        return (label,) if label else (*(element.get("class") or "").split(), element.get("id") or "")

    def place_of(self, element: Any, attribute: str = "") -> dict[str, str]:
        """The keys of a field that reads the element, or an attribute of it; empty for one too many."""
        if not self._may_try():
            return {}
        label = self._label(element)
        ways = [*self._own(element), *([self._by_label(element, label)] if label else [])]
        ways.sort(key=lambda one: 0 if "#" in one else 1 if one.startswith("//") else 2)
        for one in ways:
            if self._first.get(one) is element:
                return self._field(one, attribute)
        return self._field(self._way(element), attribute)

    @staticmethod
    def _field(expression: str, attribute: str) -> dict[str, str]:
        if expression.startswith("/"):
            return {"xpath": f"{expression}/@{attribute}" if attribute else f"normalize-space({expression})"}
        return {"css": f"{expression}::attr({attribute})" if attribute else expression}

    def _way(self, element: Any) -> str:
        """The way from the nearest element that has a name of its own, or from the top."""
        way = ""
        for one in (element, *element.iterancestors()):
            for name in self._own(one) if one is not element else ():
                if self._first.get(name) is one and (start := _as_xpath(name)):
                    return f"{start}{way}"
            way = f"/{self._step(one)}{way}"
        return way

    @staticmethod
    def _step(element: Any) -> str:
        parent, tag = element.getparent(), local_name(element)
        before = 0
        for _ in element.itersiblings(element.tag, preceding=True):
            before += 1
            if before > MOST_SIBLINGS:
                break
        only = parent is None or (not before and next(element.itersiblings(element.tag), None) is None)
        return tag if only else f"{tag}[{before + 1}]"

    def _own(self, element: Any) -> list[str]:
        tag, found = local_name(element), []
        name = element.get("id") or ""
        if _WORD.fullmatch(name) and not _MADE.search(name):
            found.append(f"{tag}#{name}")
        for attribute in ("itemprop", "data-field", "data-testid", "name"):
            if _WORD.fullmatch(value := element.get(attribute) or ""):
                found.append(f'{tag}[{attribute}="{value}"]')
        classes = [
            one for one in (element.get("class") or "")[:500].split() if _WORD.fullmatch(one) and not _MADE.search(one)
        ]
        return found + [f"{tag}.{one}" for one in classes[:8]]

    @staticmethod
    def _by_label(element: Any, label: str) -> str:
        before = local_name(element.getprevious())
        return f"//{before}[normalize-space()={_literal(label)}]/following-sibling::{local_name(element)}[1]"

    @staticmethod
    def _label(element: Any) -> str:
        """The text of the cell or term just before: “Operator” in <dt>Operator</dt><dd>Movistar</dd>."""
        before = element.getprevious()
        if before is None or not isinstance(before.tag, str) or local_name(element) not in VALUES:
            return ""
        if local_name(before) not in LABELS or len(before) > 3:
            return ""
        text = re.sub(r"\s+", " ", str(before.xpath("string(.)"))[:200]).strip()
        return text if 1 < len(text) <= 40 and not ("'" in text and '"' in text) and re.search(r"[^\W\d]", text) else ""


class XmlSelectors(_Selectors):
    """Of XML: by the local name where there is one element of it, or the way to it, whatever its namespaces."""

    def __init__(self, root: Any) -> None:
        super().__init__(root)
        self._names = Counter(local_name(one) for one in root.iter(etree.Element))

    def is_interesting(self, name: str, value: str) -> bool:
        return bool(value.strip()) and "schemaLocation" not in name

    def keys_of(self, element: Any) -> tuple[str, ...]:
        return (local_name(element),)

    def place_of(self, element: Any, attribute: str = "") -> dict[str, str]:
        """The keys of a field that reads the element, or an attribute of it; empty for one too many."""
        if not self._may_try():
            return {}
        end = (
            f"/@*[local-name()={_literal(local(attribute))}]"
            if "}" in attribute
            else f"/@{attribute}"
            if attribute
            else ""
        )
        way = ""
        for one in (element, *element.iterancestors()):
            before = 0
            for _ in one.itersiblings(one.tag, preceding=True):
                before += 1
                if before > MOST_SIBLINGS:
                    return {}
            only = not before and next(one.itersiblings(one.tag), None) is None
            name = local_name(one)
            step = name if "}" not in str(one.tag) else f"*[local-name()={_literal(name)}]"
            way = f"/{step if only else f'{step}[{before + 1}]'}{way}"
            if self._names[name] == 1:
                return {"xpath": f"/{way}{end}"}
        return {"xpath": f"{way}{end}"}


def _as_xpath(css: str) -> str:
    """An element by its own name, as an XPath begins."""
    if match := re.fullmatch(r"(\w+)#([\w-]+)", css):
        return f"//{match[1]}[@id='{match[2]}']"
    if match := re.fullmatch(r'(\w+)\[([\w-]+)="([\w-]+)"\]', css):
        return f"//{match[1]}[@{match[2]}='{match[3]}']"
    return ""
