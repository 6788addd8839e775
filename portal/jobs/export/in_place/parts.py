"""Find a workbook's parts, and change those that must follow the sheet: tables, filters, print areas. Pure.

Parts are found by their relations (ECMA-376 part 2, 9.3), never by the names that Excel happens to give them.
"""

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from portal.jobs.export.in_place.errors import CannotWriteInPlace, Obstacle
from portal.jobs.export.in_place.markup import (
    Element,
    elements,
    escaped,
    quoted,
    root_prefix,
    spliced,
    text_of,
    with_attribute,
)  # fmt: skip
from portal.jobs.export.in_place.package import Package, plain_name
from portal.jobs.export.in_place.sheet_text import column_letter, corners, ref_of

ROOT_RELATIONS = "_rels/.rels"
CONTENT_TYPES = "[Content_Types].xml"
SIGNATURES = "_xmlsignatures/"
_FOLLOWING_NAMES = ("_xlnm.Print_Area", "_xlnm._FilterDatabase")
_RANGE_OF_SHEET = re.compile(r"(.+!)\$([A-Z]{1,3})\$(\d+):\$([A-Z]{1,3})\$(\d+)", re.DOTALL)
_ROOT, _SECOND, _THIRD = 1, 2, 3  # depths


@dataclass(frozen=True)
class Relation:
    """What another part is to a part: the last word of its type, and the part's name."""

    kind: str
    target: str


@dataclass(frozen=True)
class WorkbookParts:
    """The parts of a workbook that matter here."""

    workbook: str
    sheet: str
    name: str  # of the sheet
    sheet_position: int  # among all sheets, chart sheets too: defined names count so
    styles: str | None
    from_1904: bool
    tables: tuple[str, ...]
    drawings: tuple[str, ...]
    has_macros: bool
    is_signed: bool


def find_parts(package: Package, index: int, name: str = "") -> WorkbookParts:
    """Find the parts around sheet `index`, counted as the reader counts: worksheets only. `name`, if given, must be
    that sheet's. Raises CannotWriteInPlace."""
    of_package = relations(package, "")
    workbook = _of_kind(of_package, "officeDocument")
    if workbook is None:
        raise CannotWriteInPlace(Obstacle.NOT_A_PACKAGE, "no workbook")
    related = relations(package, workbook)
    found = elements(package.text(workbook), _THIRD)
    position, sheet, its_name = _sheet(found, related, index, name)
    styles = _of_kind(related, "styles")
    of_sheet = relations(package, sheet)
    properties = next((one.attributes for one in found if one.name == b"workbookPr"), {})
    return WorkbookParts(
        workbook=workbook,
        sheet=sheet,
        name=its_name,
        sheet_position=position,
        styles=styles if styles is not None and styles in package else None,
        from_1904=properties.get("date1904", "0") in ("1", "true", "on"),
        tables=_targets(of_sheet, "table"),
        drawings=tuple(part for part in _targets(of_sheet, "drawing") if part in package),
        has_macros="macroEnabled" in _content_type(package, workbook),
        is_signed=_of_kind(of_package, "origin") is not None,
    )


def _sheet(found: list[Element], related: dict[str, Relation], index: int, name: str) -> tuple[int, str, str]:
    """The sheet's position among all sheets, its part and its name."""
    sheets = []
    tags = [one for one in found if one.name == b"sheet" and one.depth == _THIRD]
    for position, tag in enumerate(tags):
        key = next((value for key, value in tag.attributes.items() if key.endswith(":id")), "")
        relation = related.get(key)
        if relation is not None and relation.kind == "worksheet":
            sheets.append((tag.attributes.get("name", ""), position, relation.target))
    if not 0 <= index < len(sheets):
        raise CannotWriteInPlace(Obstacle.SHEET_CHANGED, f"no sheet {index}")
    its_name, position, part = sheets[index]
    if name and its_name[: len(name)] != name:
        raise CannotWriteInPlace(Obstacle.SHEET_CHANGED, "another name")
    return position, part, its_name


def relations(package: Package, part: str) -> dict[str, Relation]:
    """The relations of a part by their ids; of the package itself for an empty name. External ones are left out."""
    own, folder = relations_of(part), part.rpartition("/")[0]
    if own not in package:
        return {}
    found = {}
    for tag in elements(package.text(own), _SECOND):
        target = tag.attributes.get("Target", "")
        if tag.depth == _SECOND and target and tag.attributes.get("TargetMode", "Internal") == "Internal":
            kind = tag.attributes.get("Type", "").rpartition("/")[2]
            path = posixpath.normpath(posixpath.join("/", folder, target.replace("\\", "/"))).lstrip("/")
            found[tag.attributes.get("Id", "")] = Relation(kind, path if path in package else unquote(path))
    return found


def relations_of(part: str) -> str:
    """The name of the part that holds another's relations."""
    folder, _, name = part.rpartition("/")
    return posixpath.join(folder, "_rels", f"{name}.rels") if part else ROOT_RELATIONS


def _of_kind(related: dict[str, Relation], kind: str) -> str | None:
    return next((one.target for one in related.values() if one.kind == kind), None)


def _targets(related: dict[str, Relation], kind: str) -> tuple[str, ...]:
    return tuple(one.target for one in related.values() if one.kind == kind)


def _content_type(package: Package, part: str) -> str:
    if CONTENT_TYPES not in package:
        raise CannotWriteInPlace(Obstacle.NOT_A_PACKAGE, "no content types")
    for tag in elements(package.text(CONTENT_TYPES), _SECOND):
        if plain_name(tag.attributes.get("PartName", "")) == plain_name(part):
            return tag.attributes.get("ContentType", "")
    return ""


def without_signature(package: Package) -> tuple[dict[str, bytes], list[str]]:
    """What changes, and which entries go, when the package loses its signature: it would be wrong in a changed copy."""
    gone = [entry.filename for entry in package.entries if plain_name(entry.filename).startswith(SIGNATURES)]
    changed = {}
    for name, attribute, wanted in (
        (ROOT_RELATIONS, "Type", lambda value: "/digital-signature/" in value),
        (CONTENT_TYPES, "PartName", lambda value: plain_name(value).startswith(SIGNATURES)),
    ):
        xml = package.text(name)
        tags = [tag for tag in elements(xml, _SECOND) if tag.depth == _SECOND]
        cuts = [(tag.start, tag.end, b"") for tag in tags if wanted(tag.attributes.get(attribute, ""))]
        changed[name] = spliced(xml, cuts)
    return changed, gone


def wider_range(ref: str, header_row: int, old_last: int, new_last: int) -> str | None:
    """A range that ends with the person's last column and covers the headings, widened to the added ones; else None."""
    box = corners(ref)
    if box is None or box[1] != old_last or not box[2] <= max(header_row, 1) <= box[3]:
        return None
    return ref_of(box[0], new_last, box[2], box[3])


def wider_names(xml: bytes, sheet_position: int, header_row: int, old_last: int, new_last: int) -> bytes | None:
    """The workbook's part with this sheet's print area and filter widened; None when nothing changes."""
    changes = []
    for tag in elements(xml, _THIRD):
        if tag.name != b"definedName" or tag.attributes.get("name") not in _FOLLOWING_NAMES:
            continue
        if tag.attributes.get("localSheetId") != str(sheet_position):
            continue
        match = _RANGE_OF_SHEET.fullmatch(text_of(xml[tag.content : tag.content_end]))
        if match is None:
            continue
        sheet, left, top, right, bottom = match.groups()
        if wider_range(f"{left}{top}:{right}{bottom}", header_row, old_last, new_last) is not None:
            new = f"{sheet}${left}${top}:${column_letter(new_last)}${bottom}"
            changes.append((tag.content, tag.content_end, escaped(new)))
    return spliced(xml, changes) if changes else None


def table_right_edge(xml: bytes, first_row: int) -> int:
    """The last column of a table that reaches down to the added cells; -1 for one above them."""
    box = corners(_root(elements(xml, _ROOT)).attributes.get("ref", ""))
    return -1 if box is None or box[3] < first_row else box[1]


def wider_table(xml: bytes, header_row: int, old_last: int, headings: Sequence[str]) -> bytes | None:
    """A table with the added columns; None for one that stays: it has other headings, ends elsewhere, or comes from a
    query. Its columns must be named exactly as the heading cells, each once, or Excel repairs the file."""
    found = elements(xml, _THIRD)
    table = _root(found)
    box = corners(table.attributes.get("ref", ""))
    listed = next((one for one in found if one.name == b"tableColumns" and one.depth == _SECOND), None)
    own = [one for one in found if one.name == b"tableColumn" and one.depth == _THIRD]
    if box is None or listed is None or box[1] != old_last or box[2] != header_row:
        return None
    if (
        table.attributes.get("headerRowCount", "1") != "1"
        or table.attributes.get("tableType", "worksheet") != "worksheet"
    ):
        return None
    names = [one.attributes.get("name", "").casefold() for one in own] + [name.casefold() for name in headings]
    if len(set(names)) != len(names) or not all(headings) or len(own) != box[1] - box[0] + 1:
        return None
    p = root_prefix(xml)
    next_id = 1 + max((int(one.attributes["id"]) for one in own if one.attributes.get("id", "").isdigit()), default=0)
    added = b"".join(
        b'<%stableColumn id="%d" name=%s/>' % (p, next_id + n, quoted(name)) for n, name in enumerate(headings)
    )
    last = old_last + len(headings)
    start = with_attribute(xml[table.start : table.content], "ref", ref_of(box[0], last, box[2], box[3]))
    counted = with_attribute(xml[listed.start : listed.content], "count", str(len(own) + len(headings)))
    changes = [
        (table.start, table.content, start), (listed.start, listed.content, counted),
        (listed.content_end, listed.content_end, added),
    ]  # fmt: skip
    for tag in found:
        if tag.name == b"autoFilter" and tag.depth == _SECOND:
            edges = corners(tag.attributes.get("ref", ""))
            if edges is not None and edges[1] == old_last:
                new = ref_of(edges[0], last, edges[2], edges[3])
                changes.append((tag.start, tag.content, with_attribute(xml[tag.start : tag.content], "ref", new)))
    return spliced(xml, changes)


def _root(found: list[Element]) -> Element:
    return next(one for one in found if one.depth == _ROOT)
