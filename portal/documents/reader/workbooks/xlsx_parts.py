"""The parts of an xlsx: which file of the package is a sheet, and the format's code of each style. Pure.

Elements: ECMA-376 part 1, 18.2 and 18.8; relations: part 2, 9.3.
"""

import posixpath
import zipfile
from xml.etree import ElementTree

from portal.documents.reader.time_text import code_of

_LARGEST_PART = 16 * 1024 * 1024  # of the workbook's own parts; sheets come in pieces


def _parsed(package: zipfile.ZipFile, name: str) -> ElementTree.Element:
    if package.getinfo(name).file_size > _LARGEST_PART:
        raise ValueError("a part that is too large")
    raw = package.read(name)
    if b"<!DOCTYPE" in raw:
        raise ValueError("a document type")
    return ElementTree.fromstring(raw)  # noqa: S314 - without a document type; the process is confined


def _relations(package: zipfile.ZipFile, names: dict[str, str], part: str) -> list[tuple[str, str, str]]:
    """Id, type and target of the relations of a part, as the package names it."""
    folder, _, file = part.rpartition("/")
    place = f"{folder}/_rels/{file}.rels".lstrip("/").lower()
    if place not in names:
        return []
    found = []
    for one in _parsed(package, names[place]):
        target = one.get("Target", "")
        path = target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
        known = names.get(path.lower())
        if known is not None and one.get("TargetMode") != "External":
            found.append((one.get("Id", ""), one.get("Type", ""), known))
    return found


def target_of(package: zipfile.ZipFile, names: dict[str, str], part: str, kind: str) -> str | None:
    """Return the part that is related to this one in such a way; None when there is none."""
    return next((to for _, type_, to in _relations(package, names, part) if type_.endswith(kind)), None)


def sheets_of(package: zipfile.ZipFile, names: dict[str, str], workbook: str) -> list[str | None]:
    """Return the part of each sheet in the workbook's order; None for what is no worksheet."""
    sheets = {id_: to for id_, kind, to in _relations(package, names, workbook) if kind.endswith("/worksheet")}
    found: list[str | None] = []
    for element in _parsed(package, workbook).iter():
        if element.tag.rpartition("}")[2] == "sheet":
            id_ = next((value for key, value in element.attrib.items() if key.endswith("}id")), "")
            found.append(sheets.get(id_))
    return found


def codes_of(package: zipfile.ZipFile, styles: str) -> dict[bytes, str]:
    """Return the format's code by the number of each cell style that does not show a value as it is."""
    codes: dict[int, str] = {}
    found: dict[bytes, str] = {}
    for group in _parsed(package, styles):
        name = group.tag.rpartition("}")[2]
        if name == "numFmts":
            codes = {int(one.get("numFmtId", "0")): one.get("formatCode", "") for one in group}
        elif name == "cellXfs":
            for number, one in enumerate(group):
                code = code_of(int(one.get("numFmtId", "0")), codes)
                if code and code not in ("General", "@"):
                    found[b"%d" % number] = code
    return found
