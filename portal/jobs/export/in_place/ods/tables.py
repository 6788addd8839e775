"""A small sheet of text to add at the end of an ods. Pure."""

from collections.abc import Collection, Sequence

from portal.jobs.export.in_place.extra_sheet import ExtraSheet
from portal.jobs.export.in_place.markup import escaped, quoted
from portal.jobs.export.in_place.ods.names import Names


def table_of(sheet: ExtraSheet, taken: Collection[str], names: Names, widths: Sequence[str]) -> bytes:
    """A sheet's XML, under a name that none of `taken` is. `widths` are styles, one for each column."""
    free = (sheet.name, *(f"{sheet.name} {n}" for n in range(2, 999)))
    known = {name.casefold() for name in taken}
    name = next(one for one in free if one.casefold() not in known)
    column, cell = names.written("<table:table-column table:style-name="), names.written("<table:table-cell")
    row, end_of_row = names.written("<table:table-row>"), names.written("</table:table-row>")
    xml = [names.written("<table:table table:name="), quoted(name), b">"]
    xml += [column + quoted(width) + b"/>" for width in widths]
    for cells in sheet.rows:
        xml += [row, *(cell + _content(value, names) for value in cells), end_of_row]
    return b"".join([*xml, names.written("</table:table>")])


def _content(value: str | int, names: Names) -> bytes:
    text, end = names.written("<text:p>"), names.written("</text:p></table:table-cell>")
    if isinstance(value, int):
        kind = names.written(' office:value-type="float" office:value=') + quoted(str(value))
    else:
        kind = names.written(' office:value-type="string"')
    return kind + b">" + text + escaped(str(value)) + end
