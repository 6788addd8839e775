"""Under which prefixes a `content.xml` writes the names of OpenDocument. Pure."""

import re
from dataclasses import dataclass

from portal.jobs.export.in_place.errors import CannotWriteInPlace, Obstacle
from portal.jobs.export.in_place.markup import attributes_of, with_attribute

_BEFORE = "urn:oasis:names:tc:opendocument:xmlns:"
_SPACES = {"office": f"{_BEFORE}office:1.0", "table": f"{_BEFORE}table:1.0", "text": f"{_BEFORE}text:1.0",
           "style": f"{_BEFORE}style:1.0", "number": f"{_BEFORE}datastyle:1.0",
           "fo": f"{_BEFORE}xsl-fo-compatible:1.0"}  # fmt: skip
_READ = ("office", "table", "text")  # what is looked for; of the others elements are only added


@dataclass(frozen=True)
class Names:
    """The prefixes with their colons, by the usual prefix. `elements` has those of elements, which may be in the
    default namespace; attributes, by the rules of XML, never are."""

    elements: dict[str, bytes]
    attributes: dict[str, bytes]
    declared: dict[str, str]  # what the root must declare for the added elements
    _anew: re.Pattern[bytes]

    def bound_anew(self, xml: bytes) -> bool:
        """Whether a prefix means something else here than at the root, so that rows would not be seen."""
        return b"xmlns" in xml and self._anew.search(xml) is not None

    def root(self, tag: bytes) -> bytes:
        """The root's tag with the prefixes that were missing."""
        for prefix, space in self.declared.items():
            tag = with_attribute(tag, f"xmlns:{prefix}", space)
        return tag

    def written(self, usual: str) -> bytes:
        """XML that is written with the usual prefixes, without text, under those of this file."""
        return _NAME.sub(self._name, usual.encode())

    def _name(self, found: re.Match[bytes]) -> bytes:
        group = self.elements if found[1] in (b"<", b"</") else self.attributes
        return found[1] + group[found[2].decode()]

    def pattern(self, usual: str) -> re.Pattern[bytes]:
        """A pattern of bytes, in which `table:` is written for the prefix of the file's elements."""
        for usual_prefix in _READ:
            usual = usual.replace(f"{usual_prefix}:", re.escape(self.elements[usual_prefix].decode()))
        return re.compile(usual.encode())


_NAME = re.compile(rb"(</|<|\s)(" + "|".join(_SPACES).encode() + rb"):")


def names_of(root: bytes) -> Names:
    """Read the prefixes from the root's tag. Raises CannotWriteInPlace for two of one kind, or another format."""
    attributes = attributes_of(root)
    bound = {
        name.removeprefix("xmlns").lstrip(":"): space
        for name, space in attributes.items()
        if name == "xmlns" or name.startswith("xmlns:")
    }
    elements, in_attributes, declared = {}, {}, {}
    for usual, space in _SPACES.items():
        prefixes = [prefix for prefix, bound_space in bound.items() if bound_space == space and prefix]
        is_default = bound.get("") == space
        # Two prefixes of one meaning could both be used for rows.
        if usual in _READ and len(prefixes) + is_default != 1:
            raise CannotWriteInPlace(Obstacle.ODD_MARKUP, "prefixes")
        if not prefixes:
            prefixes = [next(name for name in (usual, f"mf{usual}", f"mf-{usual}") if name not in bound)]
            declared[prefixes[0]] = space
        in_attributes[usual] = f"{prefixes[0]}:".encode()
        elements[usual] = b"" if is_default else in_attributes[usual]
    names = "|".join(re.escape(elements[usual].decode().rstrip(":")) for usual in _READ)
    anew = rf"\sxmlns:?(?:{names})\s*=|\sxmlns[^=<>]*=\s*[\"']{_SPACES['table']}"
    return Names(elements, in_attributes, declared, re.compile(anew.encode()))
