"""The words of headings, by what they say about their column, and the languages that they belong to. Pure.

Spanish, English, Portuguese, French, Italian, German and Catalan, with the abbreviations that people write and the
names of exports (Google Contacts, Outlook, WhatsApp, HubSpot, Salesforce). All are in lower case, without accents.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache


class Heading(StrEnum):
    """What a heading says about its column."""

    MOBILE = "mobile"  # telephone numbers of mobiles
    PHONE = "phone"
    LANDLINE = "landline"
    FAX = "fax"
    PERHAPS = "perhaps"  # `Número`, `Contacto`: telephone numbers, or something else
    PREFIX = "prefix"  # a country's code, such as +34
    COUNTRY = "country"
    RIVAL = "rival"  # other numbers: orders, customers, prices, coordinates, dates
    OTHER = "other"  # a usual heading of something else: `Nombre`, `Email`, `Tipo de teléfono`
    UNKNOWN = "unknown"


NUMBERS = frozenset({Heading.MOBILE, Heading.PHONE, Heading.LANDLINE, Heading.FAX})
LONGEST_HEADING = 60  # characters
_MOST_WORDS = 8


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_MOBILE = _set(
    "movil moviles movile celular celulares cel cell cellphone mobile mobiles mob mobil mobils mbl mobilnummer mobilnr "
    "mobilnummern mobiltelefon mobilfunk mobilfunknummer handy handynummer handynr handynummern handys telemovel "
    "telemoveis telemobil tlm tlmv cellulare cellulari portable portables gsm natel whatsapp wasap whats wsp wapp "
    "smartphone telmovil telefonomovil mobilephone movilcontacto"
)
_PHONE = _set(
    "telefono telefonos telefonico telefonica telefonicos tel tels telf telfs telef telefs tele tlf tlfs tlfn tlfno "
    "tfn tfno tfnos tno fono fonos phone phones telephone telephones telephonique phonenumber phonenumbers telephono "
    "telefone telefones telefon telefons telefoni telefonnummer telefonnummern telefonnr telnr rufnummer rufnummern "
    "rufnr telno teleph telefonata msisdn e164 telnum numtel numerotelefono telefonocontacto ph"
)
_LANDLINE = _set(
    "fijo fijos fix landline landlines fixe fixes fixo fixos fisso fissi festnetz festnetznummer festnetznr "
    "festnetztelefon centralita centralino switchboard fixnet standard"
)
_FAX = _set("fax telefax faxnummer faxnr telecopie")
_PERHAPS = _set(
    "numero numeros number numbers num nums nr n no nro nummer nummern linea lineas line lines linha linhas ligne "
    "lignes linia contacto contactos contact contacts contato contatos contatto contatti kontakt kontakte contacte "
    "contactes llamante caller callee abonado destinatario destinatarios recipient recipients remitente sender "
    "empfanger anrufer appelant chiamante"
)
_PREFIX = _set(
    "prefijo prefijos prefix prefixes prefixo indicatif indicativo prefisso vorwahl landesvorwahl ddi idd callingcode "
    "countrycode dialcode"
)
_CODE, _CODE_OF = _set("code codigo cod codice"), _set("pais country pays paese land area calling")
_COUNTRY = _set("pais paises country countries pays paese land nacion nation stato nazione")
_RIVAL = _set(
    # ids, in every language
    "id ids uid uuid guid dni nif nie cif iban bic swift ccc cuenta account accounts conta compte konto conto pedido "
    "pedidos encomenda encomendas order orders orden ordenes commande commandes ordine ordini bestellung bestellnummer "
    "bestellnr auftrag auftragsnummer comanda factura facturas fatura faturas invoice facture fattura rechnung "
    "rechnungsnummer rechnungsnr expediente exp expedient dossier ref refs referencia reference riferimento referenz "
    "codigo codigos cod code codes codice codici codi cliente clientes client clients customer customers kunde kunden "
    "kundennummer kundennr clienti utente socio socios soci socia adherent mitglied mitgliedsnummer poliza polizza "
    "apolice policy contrato contratos contract contratto contrat vertrag vertragsnummer contracte pasaporte passport "
    "matricula imei iccid imsi sku ean upc isbn issn lote lot serie serial seriennummer articulo artigo article "
    "articolo artikel artikelnummer producto produto product produit prodotto produkt ticket tarjeta card contribuinte "
    "cpf cnpj rg rut rfc curp cuit cuil siret siren nss ss bastidor vin cups albaran lead record registro registo row "
    "fila linea_id indice index item empleado employee employe dipendente mitarbeiter personalnummer steuernummer iva "
    "nuss bon guia tracking envio shipment sendung kontonummer kennung "
    # places, amounts, moments
    "lat latitud latitude latitudine breite breitengrad lon lng long longitud longitude longitudine lange langengrad "
    "coordenada coordenadas utm x y cp zip plz cap postal postcode postleitzahl npa importe importes importo import "
    "montant betrag amount precio precios price prezzo prix preis preco total totale saldo balance coste cost custo "
    "costo cout kosten iva_total cantidad quantity qty quantidade quantite quantita menge stock unidades units euros "
    "eur usd importe_total valor value_eur fecha fechas date dates datum data dataora hora heure ora uhrzeit time year "
    "ano anno annee jahr any mes month mois mese monat dia day edad age idade alter eta puntos points score km kg "
    "duracion duration"
)
_OTHER = _set(
    "nombre nombres apellido apellidos name names firstname lastname surname first last given family middle nom noms "
    "prenom prenoms nome nomes sobrenome apelido apelidos cognome cognomi cognom cognoms vorname nachname familienname "
    "anrede titulo title titel sr nickname alias razon social denominacion email emails mail correo correos courriel "
    "mailadresse mails direccion direcciones domicilio calle address addresses street adresse adresses rue adreca "
    "carrer indirizzo via endereco morada rua strasse hausnummer ciudad city town ville citta cidade stadt ort "
    "poblacion poblacio localidad localidade municipio concelho freguesia bairro provincia provincias province "
    "region comarca distrito bundesland kanton departement estado state estat empresa empresas company companies "
    "societe azienda ditta firma unternehmen organization organisation organizacion cargo puesto job position "
    "funcion departamento department abteilung nota notas note notes observaciones observacoes observacions "
    "comentario comentarios comments comment commentaire commentaires kommentar bemerkung bemerkungen notiz notizen "
    "descripcion description descricao beschreibung tipo tipus type typ etiqueta label estatus status situacion "
    "operador operadora operator carrier compania sexo sexe sesso genero gender geschlecht grupo group groups gruppo "
    "gruppe agente agent comercial commercial vendedor asesor responsable responsavel web website url idioma language "
    "langue lingua sprache origen origem origin fuente source quelle canal channel campana campaign valido valid "
    "gultig extension ext extensio zona zone area sector categoria category activo active baja alta propietario owner "
    "primero segundo relacion relation birthday cumpleanos nacimiento initials suffix prefix_name location photo "
    "subject body mensaje message texto text resultado result observ obs llamado contactado consentimiento rgpd"
)
# A heading with one of these is about a number and holds none: `Tipo de teléfono`, `Phone 1 - Label`, `Fecha móvil`.
_ABOUT = _set(
    "tipo type typ tipus label etiqueta valido valid validated estado estatus status operador operadora operator "
    "carrier compania extension ext fecha date datum hora time total resultado result gultig consentimiento modelo "
    "model marca verificado verified optin opt consent provider"
)
_LATER = _set(  # of several telephone columns, these are less likely to be the one that is meant
    "2 3 4 5 6 7 8 9 ii iii otro otros otra other others alternativo alternative alternativa altre altro altri autre "
    "outro secundario secondary secundaria secondario secondaire weiteres weitere segundo second segunda secondo "
    "adicional additional emergencia emergency urgence notfall callback assistant car telex pager isdn tty"
)

_BY_LANGUAGE = {
    "es": "telefono telefonos movil moviles nombre nombres apellidos apellido correo direccion domicilio calle ciudad "
    "provincia poblacion localidad fijo empresa pais prefijo notas observaciones comentarios fecha pedido cliente "
    "tlf tfno tlfno telf celular codigo numero tipo estado razon descripcion importe contacto cif nif dni edad "
    "cuenta expediente factura centralita",
    "pt": "telemovel telemoveis telefone telefones nome nomes apelido sobrenome morada endereco cidade concelho "
    "freguesia distrito empresa pais telefonico contribuinte nif notas observacoes encomenda cliente celular codigo "
    "numero fixo bairro localidade cpf cnpj contato contacto indicativo tlm prefixo estado fatura",
    "fr": "nom prenom noms prenoms portable portables telephone fixe ville adresse courriel societe pays commentaire "
    "commentaires numero commande facture rue indicatif code mobile naissance adherent",
    "it": "nome cognome cellulare cellulari telefono indirizzo citta provincia cap azienda paese note fisso codice "
    "recapito telefonico telefonici importo data riferimento "
    "fattura ordine numero via ditta prefisso contatto centralino",
    "de": "name vorname nachname telefon handy handynummer telefonnummer rufnummer mobil mobilnummer festnetz strasse "
    "ort plz firma land anrede email kundennummer bestellnummer bemerkung stadt adresse nummer vorwahl kunde "
    "mobiltelefon telefax kontakt",
    "ca": "nom cognom cognoms telefon telefons mobil mobils adreca poblacio correu empresa provincia observacions "
    "comanda factura client codi fix comarca carrer contacte",
    "en": "name names first last given surname phone phones telephone mobile cell address city town company country "
    "email notes number work home state zip postcode street order customer value title",
}
_LANGUAGES: dict[str, list[str]] = {}
for _language, _words in _BY_LANGUAGE.items():
    for _word in _words.split():
        _LANGUAGES.setdefault(_word, []).append(_language)
# In which countries a language's headings are likely, the likeliest first.
COUNTRIES = {
    "es": ("ES", "MX", "AR", "CO", "CL", "PE"),
    "pt": ("PT", "BR"),
    "fr": ("FR", "BE", "CH"),
    "it": ("IT", "CH"),
    "de": ("DE", "AT", "CH"),
    "ca": ("ES",),
    "en": ("GB", "US", "IE"),
}
# The language that decides when the headings are in several, by the portal's country.
LANGUAGE_OF = {country: language for language in reversed(COUNTRIES) for country in COUNTRIES[language]} | {"ES": "es"}

_TABLES = (
    (Heading.FAX, _FAX), (Heading.MOBILE, _MOBILE), (Heading.LANDLINE, _LANDLINE), (Heading.PHONE, _PHONE),
)  # fmt: skip
_COMPOUND = re.compile(r"(?:telefon|mobil|handy|ruf|festnetz|funk)\w*(?:nummern?|nr)")  # German joins its words
_OTHER_COMPOUND = re.compile(r"\w{3,}(?:nummern?|nr|preis|datum|betrag)")
_CAMEL = re.compile(r"(?<=[a-zà-ÿ])(?=[A-ZÀ-Þ])|(?<=[A-Za-zÀ-ÿ])(?=\d)|(?<=\d)(?=[A-Za-zÀ-ÿ])")
_NUMERO = re.compile(r"\b[nN](?:[ºo°]\.|[º°]|úm\.|\.[ºo°])\s*")
_NONE = re.compile(
    r"(?:no|sin|sense|sans|kein|keine|nessun|nao|without|ohne)(?: .*)?|n a|nd|n d|ns nc|s n|nc|null|none|nan|nil|"
    r"ningun[oa]?|vacio|faltan?|pendiente|pending|desconocido|unknown|inconnu|unbekannt|x+|erroneo|erronea|"
    r"equivocado|incorrecto|invalido|invalid|oculto|preguntar?.*|llamar.*|fehlt|manca|error|ausente|"
)
_OUTSIDE = re.compile(r"[^a-z0-9]+")


def normalised(text: str) -> str:
    """Lower-case a text, drop accents, and make everything else a space: `Teléfono Móvil (1)` → `telefono movil 1`."""
    decomposed = unicodedata.normalize("NFKD", text.lower())
    return _OUTSIDE.sub(" ", "".join(c for c in decomposed if not unicodedata.combining(c))).strip()


def words_of(text: str) -> list[str]:
    """Return the words of a heading: `phoneNumber` → `phone number`, `Telefono1` → `telefono 1`, `Nº` → `num`."""
    return normalised(_CAMEL.sub(" ", _NUMERO.sub("num ", text))).replace("e 164", "e164").split()


@lru_cache(maxsize=4096)
def says_none(text: str) -> bool:
    """Return whether a text is what people write where a number is missing, such as `no tiene` or `sin teléfono`."""
    return bool(_NONE.fullmatch(normalised(_NUMERO.sub("num ", text))))


@lru_cache(maxsize=4096)
def heading_of(text: str) -> Heading:
    """Return what a text says about its column, if it is a heading. A text with many digits is none."""
    if not text or len(text) > LONGEST_HEADING or sum(map(str.isdigit, text)) > 5 or says_none(text):
        return Heading.UNKNOWN
    words = words_of(text)
    if not words or len(words) > _MOST_WORDS:
        return Heading.UNKNOWN
    return _heading_of(words)


def _heading_of(words: list[str]) -> Heading:
    names = set(words)
    if names & _PREFIX or (
        {"code", "codigo", "cod", "indicativo"} & names and names & (_COUNTRY | {"area", "calling"})
    ):
        return Heading.PREFIX
    kind = next((kind for kind, table in _TABLES if names & table), None)
    if kind is None and any(_COMPOUND.fullmatch(word) for word in words):
        kind = Heading.PHONE
    if kind is not None:
        return Heading.OTHER if names & _ABOUT else kind
    if names & _COUNTRY:
        return Heading.COUNTRY
    if names & _RIVAL or any(_OTHER_COMPOUND.fullmatch(word) for word in words):
        return Heading.RIVAL
    if names & _OTHER and not names <= (_PERHAPS | {"de", "del", "do", "da", "du"}):
        # `Contacto` may be a number, `Persona de contacto` and `Contact Name` are people.
        return Heading.OTHER
    if names & _PERHAPS:
        return Heading.PERHAPS
    return Heading.UNKNOWN


def is_later(text: str) -> bool:
    """Return whether a heading names a second number: `Teléfono 2`, `Otro teléfono`."""
    return bool(_LATER.intersection(words_of(text)))


def languages_of(headings: Iterable[str], usual: str = "") -> tuple[str, ...]:
    """Return the language that most headings are in, such as `pt`, or several that fit as well, `usual` first. Empty
    when no word is known."""
    counts: Counter[str] = Counter()
    for text in headings:
        for word in words_of(text) if len(text) <= LONGEST_HEADING else ():
            for language in (languages := _LANGUAGES.get(word, [])):
                counts[language] += 12 // len(languages)
    most = max(counts.values(), default=0)
    best = [language for language, count in counts.items() if count == most]
    return tuple(sorted(best, key=lambda language: language != usual))


def countries_of(languages: Iterable[str]) -> tuple[str, ...]:
    """Return the countries where headings in one of these languages are likely, the likeliest first."""
    return tuple(dict.fromkeys(country for language in languages for country in COUNTRIES[language]))
