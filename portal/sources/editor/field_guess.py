"""Proposes the name, the type and the words of a field, from where it is in the answer and what it says there."""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from portal.sources.http import field_values

# What fields are called, the special before the general: name, label in English and in Spanish, and what its keys say.
KNOWN: tuple[tuple[str, str, str, str], ...] = (
    ("original_operator", "Original operator", "Operador original",
     r".*original.*(?:operator|operador|carrier|network|provider)(?:.*name)?|.*(?:network|carrier) original name|"
     r"(?:range|assigned).*(?:operator|holder)|operador.*(?:origen|asignatario)"),
    ("operator", "Operator", "Operador",
     r"(?:operator|operador|carrier|network|compania) (?:current|actual)|"
     r"(?:^|.* )(?:operator|operador|carrier|network name|network|provider|company|compania|telco|issuer)"
     r"(?: name| nombre)?$|.*(?:operator|operador|carrier|network|provider|company)(?:.*name)?$"),
    ("mcc_mnc", "Network code (MCC/MNC)", "Código de red (MCC/MNC)", r".*mcc ?mnc|.*imsi|.*network code"),
    ("mcc", "Country code of the network (MCC)", "Código de país de la red (MCC)", r".*\bmcc"),
    ("mnc", "Code of the network (MNC)", "Código de la red (MNC)", r".*\bmnc"),
    ("ported_on", "Ported on", "Fecha de portabilidad", r".*port.*(?:date|at|on|fecha)|.*fecha.*port"),
    ("ported", "Ported", "Portado", r".*ported|.*portab.*|.*portad[oa]|.*\bmnp"),
    ("roaming", "Roaming", "En itinerancia", r".*roaming"),
    ("reachable", "Reachable", "Localizable", r".*reachab.*|.*live status|.*presence|.*subscriber status|.*disponible"),
    ("line_type", "Line type", "Tipo de línea",
     r".*(?:line|number|phone) ?type|.*tipo.*(?:linea|numero)?|.*\btype|.*\bkind"),
    ("valid", "Valid", "Válido", r".*(?:is )?valid(?:o|a)?"),
    ("country_name", "Country name", "Nombre del país", r".*country name|.*nombre.*pais"),
    ("country", "Country", "País", r".*country(?: code)?|.*\bpais|.*\biso\d?"),
    ("province", "Province", "Provincia", r".*province|.*provincia|.*\bregion|.*\bstate|.*\barea"),
    ("city", "City", "Localidad", r".*\bcity|.*localidad|.*poblacion|.*municip.*|.*location"),
    ("spam", "Reported as spam", "Denunciado como spam", r".*spam.*|.*fraud.*|.*risk|.*\bscore"),
    ("name", "Name", "Nombre", r".*caller name|.*\bname|.*nombre|.*titular|.*owner"),
    ("time_zone", "Time zone", "Zona horaria", r".*time ?zone.*|.*zona horaria"),
    ("local_format", "Local format", "Formato nacional", r".*(?:local|national).*(?:format|number)"),
    ("status", "Status", "Estado", r".*status|.*estado|.*\bstate"),
)  # fmt: skip
_DATE_NAMED = re.compile(r"date|fecha|_on$|_at$|since|desde|time", re.IGNORECASE)
_NUMBER_NAMED = re.compile(r"price|precio|cost|score|count|amount|credit|balance|percent|total|days", re.IGNORECASE)
LONGEST_NAME = 40


@dataclass(frozen=True)
class FieldGuess:
    """What a field may be called, and what it is."""

    name: str
    label: Mapping[str, str]
    type: str


def guess(keys: Sequence[str], values: Collection[str], taken: Collection[str] = ()) -> FieldGuess:
    """The guess for a field. `keys` are the words that lead to it, the last one the nearest; `values` are what it says
    in each sample; `taken` are names that other fields have."""
    words = [_words(key) for key in keys if _words(key)]
    known = _known(words)
    if known:
        name, english, spanish, _ = known
    else:
        plain = next(reversed(words), "value")
        own = next((key for key in reversed(keys) if _words(key)), plain)
        name, english = (
            re.sub(r"\W+", "_", plain),
            re.sub(r"[_-]+", " ", re.sub(r"([a-z])([A-Z])", r"\1 \2", own)).strip(),
        )
        english = spanish = english[:1].upper() + english[1:]
    name = re.sub(r"^[^a-z]+", "", name)[:LONGEST_NAME].strip("_") or "value"
    free, number = name, 2
    while free in taken:
        free, number = f"{name[: LONGEST_NAME - 3]}_{number}", number + 1
    return FieldGuess(free, {"en": english, "es": spanish}, _type(free, [one for one in values if one]))


def _known(words: list[str]) -> tuple[str, str, str, str] | None:
    """What the last words say. A word that says little, such as name or type, is read together with those before it."""
    little = {"name", "status", "line_type", "operator"}
    found: tuple[str, str, str, str] | None = None
    for many in range(1, min(len(words), 3) + 1):
        text = " ".join(words[-many:])
        known = next((one for one in KNOWN if re.fullmatch(one[3], text)), None)
        if known is not None and (found is None or (found[0] in little and known[0] != found[0])):
            found = known
        if found is not None and found[0] not in little:
            break
    return found


def _words(key: str) -> str:
    """A key in small letters without accents, its words apart."""
    text = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", key)
    text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", " ", text).strip()


def _type(name: str, values: list[str]) -> str:
    if not values:
        return "bool" if name in ("ported", "roaming", "valid") else "text"
    words = all(field_values.yes_or_no(one) for one in values)
    if words and (
        name in ("ported", "roaming", "valid", "reachable", "spam") or not all(one in ("0", "1") for one in values)
    ):
        return "bool"
    if (_DATE_NAMED.search(name) or all(re.match(r"\d{4}-\d\d-\d\d", one) for one in values)) and all(
        map(field_values.day, values)
    ):
        return "date"
    if _NUMBER_NAMED.search(name) and all(field_values.number(one) for one in values):
        return "number"
    return "text"
