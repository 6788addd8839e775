"""Guess the column with the numbers and the header row from a sheet's first rows. Pure.

The guess is only the check page's first proposal: the person sees it and can change it. When in doubt it finds no
header: a title taken for data is shown as a bad row, but data taken for a header would be lost.
"""

import re
import unicodedata
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from statistics import median

from portal.documents.reader.sheet_file import Cell, rows, text_of
from portal.phone import parse

ROWS_READ = 220
HEADER_WITHIN = 20
_NAMES = (
    "telefono", "telefonos", "tel", "tfno", "tlf", "tlfno", "telf", "movil", "moviles", "celular", "numero",
    "phone", "phones", "telephone", "mobile", "cell", "number", "msisdn", "whatsapp", "e164", "telefon", "handy",
    "telefone", "telemovel", "cellulare", "portable", "mobil",
)  # fmt: skip
_MOBILE = frozenset({"movil", "moviles", "celular", "mobile", "cell", "msisdn", "telemovel", "cellulare", "handy"})
_PHONE_LIKE = 0.3  # score of a text with as many digits as a number that is not valid in the given country


def normalised(text: str) -> str:
    """Lower-case a text, drop accents, and make everything else a space: `Teléfono Móvil (1)` → `telefono movil 1`."""
    decomposed = unicodedata.normalize("NFKD", text.lower())
    return re.sub(r"[^a-z0-9]+", " ", "".join(c for c in decomposed if not unicodedata.combining(c))).strip()


def name_score(text: str) -> int:
    """Score how much a text looks like the heading of a number column: 0 not at all, 3 exactly a usual name."""
    words = normalised(text).split()
    if not words or len(text) > 60:
        return 0
    if len(words) == 1 and words[0] in _NAMES:
        return 3
    if words[0] in _NAMES:
        return 2
    return 1 if any(word in _NAMES for word in words) else 0


def number_score(cell: Cell, country: str) -> float:
    """Score how much a cell looks like a telephone number, from 0 to 1; 1 when it is a valid one."""
    if cell is None or isinstance(cell, (bool, dict, float)):
        return 0.0
    text = text_of(cell).strip()
    digits = sum(map(str.isdigit, text))
    if not 7 <= digits <= 17 or len(text) > 40:
        return 0.0
    if parse(text, country).reason is None:
        return 1.0
    return _PHONE_LIKE if digits >= 0.7 * len(text) else 0.0


def guess(sheet_path: Path, country: str) -> tuple[int, int]:
    """Return the header's row number (0 = no header) and the number column (from 0)."""
    first_rows = [cells for _, cells in islice(_clipped(sheet_path), ROWS_READ)]
    width = max(map(len, first_rows), default=0)
    if not width:
        return 0, 0
    scores = [[number_score(cell, country) for cell in cells] for cells in first_rows]
    column = max(range(width), key=lambda index: (*_rank(index, first_rows, scores), -index))
    return _header_row(column, first_rows, scores), column


def _clipped(sheet_path: Path) -> Iterator[tuple[int, list[Cell]]]:
    for row_no, cells in rows(sheet_path):
        yield row_no, [cell[:100] if isinstance(cell, str) else cell for cell in cells]


def _rank(column: int, first_rows: list[list[Cell]], scores: list[list[float]]) -> tuple[float, int, int, float]:
    """Rank a column: share of numbers in tenths, then its name, then whether it is mobile, then how full it is."""
    filled = [score[column] for cells, score in zip(first_rows, scores, strict=True)
              if column < len(cells) and text_of(cells[column]).strip()]  # fmt: skip
    heads = [text_of(cells[column]) for cells in first_rows[:HEADER_WITHIN] if column < len(cells)]
    name = max(map(name_score, heads), default=0)
    mobile = int(any(_MOBILE & set(normalised(head).split()) for head in heads if name_score(head)))
    data = [score for score in filled if score] if name else filled  # the heading itself is not a number
    share = sum(filled) / max(len(filled), 1)
    return round(share, 1) if data else 0.0, name, mobile, sum(filled)


def _header_row(column: int, first_rows: list[list[Cell]], scores: list[list[float]]) -> int:
    """Return the row above the first number that looks most like a header; 0 when there is none."""
    first = next((n for n, score in enumerate(scores) if column < len(score) and score[column]), None)
    above = first_rows[: min(len(first_rows) if first is None else first, HEADER_WITHIN)]
    widths = [_filled(cells) for cells in first_rows[len(above) : len(above) + 50] if _filled(cells)]
    usual = median(widths) if widths and first is not None else max(map(_filled, above), default=0)
    best, best_score = 0, (0, 0)
    for row_no, cells in enumerate(above, start=1):
        head = text_of(cells[column]).strip() if column < len(cells) else ""
        if not head or any(isinstance(cell, (int, float, dict)) and not isinstance(cell, bool) for cell in cells):
            continue
        wide = int(_filled(cells) > usual / 2)
        named = name_score(head)
        if not named and (not wide or sum(map(str.isdigit, head)) >= 4):
            continue
        if (named, wide) > best_score:
            best, best_score = row_no, (named, wide)
    return best


def _filled(cells: list[Cell]) -> int:
    return sum(1 for cell in cells if text_of(cell).strip())
