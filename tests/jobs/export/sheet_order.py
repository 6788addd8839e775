"""Checks a sheet's XML against the standard: the order of its elements, its rows and cells, the columns' widths.

Excel offers to repair a file that breaks one of these rules, and no library for Python minds them. ECMA-376 part 1,
18.3.1.99 (worksheet), 18.3.1.73 (row), 18.3.1.4 (c), 18.3.1.13 (col), 18.5.1.2 (table).
"""

import re
import zipfile
from io import BytesIO
from pathlib import Path
from posixpath import join, normpath
from typing import Any

from lxml import etree

ORDER = [
    "sheetPr",
    "dimension",
    "sheetViews",
    "sheetFormatPr",
    "cols",
    "sheetData",
    "sheetCalcPr",
    "sheetProtection",
    "protectedRanges",
    "scenarios",
    "autoFilter",
    "sortState",
    "dataConsolidate",
    "customSheetViews",
    "mergeCells",
    "phoneticPr",
    "conditionalFormatting",
    "dataValidations",
    "hyperlinks",
    "printOptions",
    "pageMargins",
    "pageSetup",
    "headerFooter",
    "rowBreaks",
    "colBreaks",
    "customProperties",
    "cellWatches",
    "ignoredErrors",
    "smartTags",
    "drawing",
    "legacyDrawing",
    "legacyDrawingHF",
    "drawingHF",
    "picture",
    "oleObjects",
    "controls",
    "webPublishItems",
    "tableParts",
    "extLst",
]
MAY_REPEAT = {"conditionalFormatting", "AlternateContent"}
OF_CELL = ["f", "v", "is", "extLst"]
TYPES = {"b", "d", "e", "inlineStr", "n", "s", "str"}


def local(element: Any) -> str:
    return str(etree.QName(element).localname)


def faults_of_sheet(xml: bytes, formats: int = 1 << 30) -> list[str]:
    """What is wrong with a worksheet. `formats` is how many cell formats the workbook has."""
    root = etree.fromstring(xml, etree.XMLParser(huge_tree=True, remove_comments=True, remove_pis=True))
    faults = [] if local(root) == "worksheet" else [f"root {local(root)}"]
    names = [local(child) for child in root]
    known = [ORDER.index(name) for name in names if name in ORDER]
    faults += [f"{name} is not of the standard" for name in names if name not in {*ORDER, "AlternateContent"}]
    faults += ["elements out of order"] if known != sorted(known) else []
    faults += [
        f"two {name}" for name in names if names.count(name) > 1 and name not in {*MAY_REPEAT, "AlternateContent"}
    ]
    for child in root:
        match local(child):
            case "sheetData":
                faults += _faults_of_rows(child, formats)
            case "cols":
                faults += _faults_of_columns(child)
            case "ignoredErrors" if not len(child):
                faults.append("ignoredErrors without any")
    return faults


def _faults_of_columns(columns: Any) -> list[str]:
    edges = [(int(one.get("min")), int(one.get("max"))) for one in columns]
    faults = [] if edges else ["cols without any"]
    faults += [f"col {low} to {high}" for low, high in edges if not 1 <= low <= high <= 16_384]
    return faults + [f"col {b[0]} after {a[1]}" for a, b in zip(edges, edges[1:], strict=False) if b[0] <= a[1]]


def _faults_of_rows(data: Any, formats: int) -> list[str]:
    faults, row_no, seen = [], 0, set()
    for row in data:
        row_no = int(row.get("r", row_no + 1))
        faults += [f"row {row_no} twice"] if row_no in seen else []
        seen.add(row_no)
        column, columns = 0, set()
        for cell in (child for child in row if local(child) == "c"):
            place = re.fullmatch(r"([A-Z]{1,3})(\d+)", cell.get("r", ""))
            column = _number(place[1]) if place else column + 1
            faults += [f"{cell.get('r')} in row {row_no}"] if place and int(place[2]) != row_no else []
            faults += [f"row {row_no}: column {column} twice"] if column in columns else []
            faults += [f"row {row_no}: column {column} out of order"] if columns and column < max(columns) else []
            columns.add(column)
            faults += _faults_of_cell(cell, formats)
        spans = row.get("spans")
        if spans and columns and max(columns) > max(int(span.split(":")[1]) for span in spans.split()):
            faults.append(f"row {row_no} passes its spans {spans}")
    return faults


def _faults_of_cell(cell: Any, formats: int) -> list[str]:
    where, kind = cell.get("r"), cell.get("t", "n")
    inside = [local(child) for child in cell]
    faults = [] if kind in TYPES else [f"{where}: type {kind}"]
    if any(name not in OF_CELL for name in inside) or inside != sorted(inside, key=OF_CELL.index):
        faults.append(f"{where}: {inside}")
    if int(cell.get("s", 0)) >= formats:
        faults.append(f"{where}: format {cell.get('s')} of {formats}")
    texts = [child.text or "" for child in cell.iter() if isinstance(child.tag, str) and local(child) in ("t", "v")]
    if kind == "n" and texts and texts[0]:
        float(texts[0])
    if kind == "inlineStr" and ("is" not in inside or len("".join(texts)) > 32_767 + 7 * "".join(texts).count("_x")):
        faults.append(f"{where}: text")
    return faults


def _number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number


def faults_of_workbook(content: bytes | Path) -> list[str]:
    """What is wrong with any sheet, table or style count of a workbook."""
    faults: list[str] = []
    with zipfile.ZipFile(BytesIO(content) if isinstance(content, bytes) else content) as package:
        faults += [f"damaged: {package.testzip()}"] if package.testzip() else []
        names = package.namelist()
        faults += ["an entry twice"] if len(set(names)) != len(names) else []
        styles = next((name for name in names if name.lower().endswith("xl/styles.xml")), None)
        formats = 1 << 30
        if styles is not None:
            found, formats = _faults_of_styles(package.read(styles))
            faults += found
        for name in names:
            if re.search(r"worksheets/[^/]+\.xml$", name):
                faults += [f"{name}: {fault}" for fault in faults_of_sheet(package.read(name), formats)]
                faults += [f"{name}: {fault}" for fault in _faults_of_tables(package, name)]
    return faults


def _faults_of_styles(xml: bytes) -> tuple[list[str], int]:
    """What is wrong with the styles, and how many cell formats there are."""
    faults, counts = [], {}
    for child in etree.fromstring(xml):
        if isinstance(child.tag, str):
            counts[local(child)] = len(child)
            if child.get("count") not in (None, str(len(child))):
                faults.append(f"{local(child)}: {len(child)} and not {child.get('count')}")
    for group in etree.fromstring(xml):
        if isinstance(group.tag, str) and local(group) == "cellXfs":
            for xf in group:
                for attribute, of in (("fontId", "fonts"), ("fillId", "fills"), ("borderId", "borders")):
                    if int(xf.get(attribute, 0)) >= counts.get(of, 0):
                        faults.append(f"{attribute} {xf.get(attribute)} of {counts.get(of)}")
    return faults, counts.get("cellXfs", 0)


def _faults_of_tables(package: zipfile.ZipFile, sheet: str) -> list[str]:
    """A table's columns are named as its heading cells are, each once."""
    folder, name = sheet.rsplit("/", 1)
    relations = f"{folder}/_rels/{name}.rels"
    if relations not in package.namelist():
        return []
    faults = []
    for relation in etree.fromstring(package.read(relations)):
        if relation.get("Type", "").endswith("/table"):
            target = normpath(join("/", folder, relation.get("Target"))).lstrip("/")
            faults += _faults_of_table(package, sheet, etree.fromstring(package.read(target)))
    return faults


def _faults_of_table(package: zipfile.ZipFile, sheet: str, table: Any) -> list[str]:
    match = re.fullmatch(r"([A-Z]+)(\d+):([A-Z]+)(\d+)", table.get("ref"))
    assert match is not None
    left, top, right = _number(match[1]), int(match[2]), _number(match[3])
    (listed,) = (child for child in table if local(child) == "tableColumns")
    names = [column.get("name") for column in listed]
    faults = [] if len(names) == right - left + 1 == int(listed.get("count")) else ["table: number of columns"]
    faults += ["table: a name twice"] if len({name.casefold() for name in names}) != len(names) else []
    ids = [column.get("id") for column in listed]
    faults += ["table: an id twice"] if len(set(ids)) != len(ids) else []
    faults += [
        f"table: filter {child.get('ref')}"
        for child in table
        if local(child) == "autoFilter" and child.get("ref").split(":")[1].rstrip("0123456789") != match[3]
    ]
    if table.get("headerRowCount", "1") != "0":
        heads = _texts(package, sheet, top)
        faults += [f"table: {name} over {heads.get(n)}" for n, name in enumerate(names, left) if heads.get(n) != name]
    return faults


def _texts(package: zipfile.ZipFile, sheet: str, row_no: int) -> dict[int, str]:
    """The texts of a row by column."""
    shared: list[str] = []
    if "xl/sharedStrings.xml" in package.namelist():
        items = etree.fromstring(package.read("xl/sharedStrings.xml"))
        shared = ["".join(t.text or "" for t in item.iter() if local(t) == "t") for item in items]
    found = {}
    for row in etree.fromstring(package.read(sheet)).iter():
        if isinstance(row.tag, str) and local(row) == "row" and row.get("r") == str(row_no):
            for cell in row:
                text = "".join(one.text or "" for one in cell.iter() if local(one) in ("t", "v"))
                column = _number(cell.get("r").rstrip("0123456789"))
                found[column] = shared[int(text)] if cell.get("t") == "s" else text
    return found
