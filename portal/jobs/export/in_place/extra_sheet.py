"""Add a small sheet of text at a workbook's end. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from portal.documents.reader.sheet_file import column_letter
from portal.jobs.export.in_place.cells import xml_text
from portal.jobs.export.in_place.errors import CannotWriteInPlace, Obstacle
from portal.jobs.export.in_place.markup import Element, elements, quoted, spliced, with_attribute
from portal.jobs.export.in_place.package import Package
from portal.jobs.export.in_place.parts import CONTENT_TYPES, WorkbookParts, relations_of

_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"
_NOT_IN_NAMES = re.compile(r"[\[\]:*?/\\\x00-\x1f]")
_LONGEST_NAME = 31
_SECOND, _THIRD = 2, 3  # depths


@dataclass(frozen=True)
class ExtraSheet:
    """A sheet to add: its name and its rows."""

    name: str
    rows: Sequence[Sequence[str | int]]


class Additions:
    """What a workbook changes for its new sheets: three parts, which others may have changed before, and new ones."""

    def __init__(self, package: Package, parts: WorkbookParts, read: dict[str, bytes]) -> None:
        """`read` has the parts that were changed before, by name; the others are read here."""
        self.new: dict[str, bytes] = {}
        self._package, self._parts = package, parts
        self._relations = relations_of(parts.workbook)
        names = (parts.workbook, self._relations, CONTENT_TYPES)
        self.changed = {name: read.get(name) or package.text(name) for name in names}

    def add(self, sheet: ExtraSheet) -> None:
        """Add one sheet. Raises CannotWriteInPlace."""
        part = self._free_part()
        key = self._relate(part)
        self._list(sheet.name, key)
        override = b"<Override PartName=%s ContentType=%s/>" % (quoted(f"/{part}"), quoted(_TYPE))
        self._append(CONTENT_TYPES, b"Types", override)
        self.new[part] = self._sheet_xml(sheet)

    def _free_part(self) -> str:
        folder = self._parts.sheet.rpartition("/")[0]
        numbers = (f"{folder}/sheet{n}.xml".lstrip("/") for n in range(1, 100_000))
        return next(name for name in numbers if name not in self._package and name not in self.new)

    def _relate(self, part: str) -> str:
        found = [one for one in elements(self.changed[self._relations], _SECOND) if one.depth == _SECOND]
        keys = {one.attributes.get("Id", "") for one in found}
        key = next(f"rId{n}" for n in range(len(keys) + 1, 2 * len(keys) + 3) if f"rId{n}" not in keys)
        types = (one.attributes.get("Type", "") for one in found)
        kind = next((kind for kind in types if kind.endswith("/worksheet")), "")  # strict workbooks have another
        tag = b"<Relationship Id=%s Type=%s Target=%s/>" % (quoted(key), quoted(kind), quoted(f"/{part}"))
        self._append(self._relations, b"Relationships", tag)
        return key

    def _list(self, name: str, key: str) -> None:
        xml = self.changed[self._parts.workbook]
        found = [one for one in elements(xml, _THIRD) if one.name == b"sheet" and one.depth == _THIRD]
        numbers = [int(one.attributes["sheetId"]) for one in found if one.attributes.get("sheetId", "").isdigit()]
        # The last sheet's tag with other values: it has the prefixes, and where they are declared, too.
        last = found[-1]
        new = re.sub(rb"\sstate\s*=\s*(\"[^\"]*\"|'[^']*')", b"", xml[last.start : last.content])
        id_name = next(attribute for attribute in last.attributes if attribute.endswith(":id"))
        values = {"name": _free_name(name, found), "sheetId": str(max(numbers, default=0) + 1), id_name: key}
        for attribute, value in values.items():
            new = with_attribute(new, attribute, value)
        new += xml[last.content_end : last.end]
        self.changed[self._parts.workbook] = spliced(xml, [(found[-1].end, found[-1].end, new)])

    def _append(self, part: str, root: bytes, tag: bytes) -> None:
        """Add a tag at a part's end, with the prefix that its root has."""
        xml = self.changed[part]
        element = next(one for one in elements(xml, 1) if one.depth == 1)
        prefix = xml[element.start + 1 : xml.index(root, element.start)]
        tag = b"<" + prefix + tag[1:]
        if element.is_empty_tag:
            raise CannotWriteInPlace(Obstacle.ODD_MARKUP, part)
        self.changed[part] = spliced(xml, [(element.content_end, element.content_end, tag)])

    def _sheet_xml(self, sheet: ExtraSheet) -> bytes:
        xml = self.changed[self._parts.workbook]
        root = next(one for one in elements(xml, 1) if one.depth == 1)
        spaces = (value for name, value in root.attributes.items() if name.split(":")[0] == "xmlns")
        space = next(one for one in spaces if one.endswith("/main") and "spreadsheetml" in one)
        widths = [max(len(str(row[n])) for row in sheet.rows) + 2 for n in range(len(sheet.rows[0]))]
        columns = "".join(
            f'<col min="{n}" max="{n}" width="{min(width, 60)}" customWidth="1"/>' for n, width in enumerate(widths, 1)
        )
        rows = "".join(f'<row r="{n}">{_cells(n, row)}</row>' for n, row in enumerate(sheet.rows, 1))
        head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
        data = f'<worksheet xmlns="{space}"><cols>{columns}</cols><sheetData>{rows}</sheetData></worksheet>'
        return (head + data).encode()


def _cells(row_no: int, row: Sequence[str | int]) -> str:
    return "".join(_cell(f"{column_letter(n)}{row_no}", value) for n, value in enumerate(row))


def _cell(place: str, value: str | int) -> str:
    if isinstance(value, int):
        return f'<c r="{place}"><v>{value}</v></c>'
    return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{xml_text(value)}</t></is></c>'


def _free_name(name: str, sheets: Sequence[Element]) -> str:
    """The name as Excel allows it, and as no other sheet has it."""
    taken = {sheet.attributes.get("name", "").casefold() for sheet in sheets}
    stem = _NOT_IN_NAMES.sub("_", name)[: _LONGEST_NAME - 4].strip("'") or "1"
    return next(one for one in (stem, *(f"{stem} {n}" for n in range(2, 999))) if one.casefold() not in taken)
