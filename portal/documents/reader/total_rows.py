"""Recognise rows that sum up a list, or end it, and are none of its entries: `Total`, `Número total: 8`. Pure.

Such a row is left alone unless the person takes it back. A row with a telephone number in it is never one: a client may
be called Total.
"""

import json
import re
from collections import deque
from pathlib import Path

from portal.documents.reader.header_guess import normalised
from portal.documents.reader.sheet_file import Cell, text_of
from portal.phone import parse

MOST = 200  # rows that are named
_LAST_ROWS = 10  # filled ones, among which a list may end in other words than a total's
_LONGEST = 60

_SUM = r"(?:sub ?|gran |grand )?(?:total(?:es|e|en|s)?|totaal|suma|sumas|soma|somme|summe|gesamt|gesamtsumme|sum)"
_ANY_ROW = re.compile(rf"{_SUM}(?: (?!y |e |and )[a-z]+){{0,4}}(?: \d[\d ]*)?")
_LAST_ROW = re.compile(
    r"(?:(?:numero|num|n|no|number|anzahl|nombre) (?:de |of |von )?)?(?:el |la )?"
    r"(?:total|registros?|records?|filas?|rows?|clientes?|contactos?|contacts?|recuento|conteo|count|promedio|media|average)"
    r"(?: de [a-z]+| of [a-z]+| total(?:es)?)?(?: \d[\d ]*)?"
    r"|(?:pagina|pag|page|seite) \d+(?: (?:de|of|von|di) \d+)?"
    r"|(?:generado|exportado|impreso|actualizado|generated|exported|printed|erstellt|fuente|source)(?: .*)?"
    r"|fin(?: de[l]? .*)?|end of .*|ende"
)
_MAY_BE = re.compile(r"total|sum|soma|somme|gesamt|totaal", re.IGNORECASE)


def total_rows(sheet_path: Path, header_row: int, country: str) -> list[int]:
    """Return the numbers of these rows below the header (as Excel counts), the first MOST of them."""
    found: set[int] = set()
    last: deque[tuple[int, str]] = deque(maxlen=_LAST_ROWS)
    with sheet_path.open(encoding="utf-8", newline="\n") as file:
        for row_no, line in enumerate(file, start=1):
            if row_no <= header_row or len(line) < 4:  # no row of the list, or an empty one
                continue
            last.append((row_no, line))
            if len(found) < MOST and _MAY_BE.search(line[:500]) and _is_one(json.loads(line), _ANY_ROW, country):
                found.add(row_no)
    for row_no, line in reversed(last):
        if row_no in found:
            continue
        if not _is_one(json.loads(line), _LAST_ROW, country):
            break
        found.add(row_no)
    return sorted(found)[:MOST]


def _is_one(cells: list[Cell], pattern: re.Pattern[str], country: str) -> bool:
    texts = [text for cell in cells if (text := text_of(cell).strip())]
    if not texts or len(texts[0]) > _LONGEST or not pattern.fullmatch(normalised(texts[0])):
        return False
    return not any(phone.e164 or phone.offered for text in texts if (phone := parse(text, country)))
