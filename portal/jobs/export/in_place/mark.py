"""Put the job's mark into a workbook, as a property of the document that programs keep when they save it. Pure.

By its mark a download that comes back is recognised (`jobs.returned`). A file that cannot have one comes without.
"""

from portal.documents.reader.file_mark import PROPERTY
from portal.jobs.export.in_place.errors import CannotWriteInPlace
from portal.jobs.export.in_place.markup import Element, elements, quoted, root_prefix, spliced
from portal.jobs.export.in_place.package import Package
from portal.jobs.export.in_place.parts import CONTENT_TYPES, ROOT_RELATIONS, relations

_SPACE = "http://schemas.openxmlformats.org/officeDocument/2006"
_KIND = f"{_SPACE}/relationships/custom-properties"
_TYPE = "application/vnd.openxmlformats-officedocument.custom-properties+xml"
_FORMAT = "{D5CDD505-2E9C-101B-9397-08002B2CF9AE}"  # of all custom properties: ECMA-376 part 1, 22.3
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_SECOND = 2  # depth


def mark_workbook(package: Package, changed: dict[str, bytes], mark: str) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The parts that change for the mark, and those that are new. `changed` has parts that were changed before."""
    try:
        own = relations(package, "")
        if not any(one.kind == "officeDocument" for one in own.values()):
            return {}, {}
        part = next((one.target for one in own.values() if one.kind == "custom-properties"), None)
        if part is not None and part in package:
            return {part: _with_property(package.text(part), mark)}, {}
        part = next(name for n in range(1, 99) if (name := f"docProps/custom{n if n > 1 else ''}.xml") not in package)
        types = changed.get(CONTENT_TYPES) or package.text(CONTENT_TYPES)
        related = changed.get(ROOT_RELATIONS) or package.text(ROOT_RELATIONS)
        if b"purl.oclc.org" in related:  # the strict kind has other names for all of this
            return {}, {}
        return {CONTENT_TYPES: with_type(types, part), ROOT_RELATIONS: with_relation(related, part)}, {
            part: new_properties(mark)
        }
    except CannotWriteInPlace:
        return {}, {}


def new_properties(mark: str) -> bytes:
    """A part with the mark alone."""
    root = f'<Properties xmlns="{_SPACE}/custom-properties" xmlns:vt="{_SPACE}/docPropsVTypes">'
    return _HEAD.encode() + root.encode() + _property(b"", 2, mark) + b"</Properties>"


def with_type(types: bytes, part: str) -> bytes:
    """The content types with that of the part."""
    return _appended(types, b"Override PartName=%s ContentType=%s/>" % (quoted(f"/{part}"), quoted(_TYPE)))


def with_relation(related: bytes, part: str) -> bytes:
    """The package's relations with the part."""
    keys = {one.attributes.get("Id", "") for one in elements(related, _SECOND)}
    key = next(f"rId{n}" for n in range(len(keys) + 1, 2 * len(keys) + 3) if f"rId{n}" not in keys)
    return _appended(
        related, b"Relationship Id=%s Type=%s Target=%s/>" % (quoted(key), quoted(_KIND), quoted(f"/{part}"))
    )


def _with_property(xml: bytes, mark: str) -> bytes:
    found = [one for one in elements(xml, _SECOND) if one.depth == _SECOND]
    earlier = [one for one in found if one.attributes.get("name") == PROPERTY]
    numbers = [int(one.attributes["pid"]) for one in found if one.attributes.get("pid", "").isdigit()]
    new = _property(root_prefix(xml), max([1, *numbers]) + 1, mark)
    root = _root(xml)
    if root.is_empty_tag:
        return new_properties(mark)
    cuts = [(one.start, one.end, b"") for one in earlier]
    return spliced(xml, [*cuts, (root.content_end, root.content_end, new)])


def _property(prefix: bytes, number: int, mark: str) -> bytes:
    values = quoted(f"{_SPACE}/docPropsVTypes")
    text = b"<v:lpwstr xmlns:v=%b>%b</v:lpwstr>" % (values, mark.encode())
    start = b'<%bproperty fmtid="%b" pid="%d" name="%b">' % (prefix, _FORMAT.encode(), number, PROPERTY.encode())
    return start + text + b"</%bproperty>" % prefix


def _appended(xml: bytes, tag: bytes) -> bytes:
    root = _root(xml)
    if root.is_empty_tag:
        return xml
    return spliced(xml, [(root.content_end, root.content_end, b"<" + root_prefix(xml) + tag)])


def _root(xml: bytes) -> Element:
    return next(one for one in elements(xml, 1) if one.depth == 1)


def mark_ods(meta: bytes, mark: str) -> bytes:
    """The properties of an ods with the mark. As they are when they cannot have one."""
    try:
        found = [one for one in elements(meta, 3) if one.depth == 2 + 1 and one.name == b"user-defined"]
        inside = next((one for one in elements(meta, _SECOND) if one.depth == _SECOND and one.name == b"meta"), None)
    except CannotWriteInPlace:
        return meta
    if inside is None or inside.is_empty_tag:
        return meta
    own = "urn:oasis:names:tc:opendocument:xmlns:meta:1.0"
    new = f'<m:user-defined xmlns:m="{own}" m:name="{PROPERTY}">{mark}</m:user-defined>'.encode()
    named = [one for one in found if any(value == PROPERTY for value in one.attributes.values())]
    cuts = [(one.start, one.end, b"") for one in named]
    return spliced(meta, [*cuts, (inside.content_end, inside.content_end, new)])
