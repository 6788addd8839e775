"""The words that stand around a number in a cell, by what they say about it. Pure.

All are compared in lower case and without accents. A word that is in none of the lists says nothing about the number.
"""

from functools import cache

from phonenumbers import SUPPORTED_REGIONS


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# May be written together with the number (Tel600123123), and may have a digit of their own (Tel1:).
LABELS = _set(
    "tel tels telf telef telefono telefonos telefon telefone telephone tele tlf tlfn tlfno tfn tfno tno fono movil mov "
    "moviles mobil mobile mob mobiltelefon movel telemovel tlm celular cel cell cellulare portable port gsm handy fijo "
    "fix fixe fisso festnetz phone ph fon fone fax whatsapp whatsap wasap wsp wapp wa msisdn numero number numeros "
    "contacto contact casa trabajo oficina office home work personal"
)
# The number behind one of these is not a telephone number.
IDENTIFIERS = _set(
    "dni nif nie cif iban id ids ref refs referencia reference iccid imei imsi sku isbn issn ean upc vat swift bic "
    "pin "
    # people and what they have
    "nss nuss niss cpf cnpj rfc curp cuit cuil cbu cvu clabe siret siren insee secu piva iva cf tva ein ssn "
    "contribuinte cidadao cartao utente colegiado catastral cups uuid bastidor vin isin pasaporte passport visa "
    "licencia licence matricula matricola immatriculation tessera carte card tarjeta expediente expte exp historia "
    "nhc legajo empleado empregado employee member adherent adherente afiliado afiliacion socio abonado abonne "
    "abbonato cliente client customer kunde kundennummer kundennr kdnr usuario user titular dossier pratica processo "
    "protocollo prot cuenta account conta compte conto konto ccc nib policy poliza polizza apolice claim caso case "
    # papers and goods
    "pedido ped order ordine orden commande cde encomenda auftrag bestellung factura fatura fattura facture rechnung "
    "invoice fra albaran ddt bolla recibo receipt presupuesto preventivo devis quote contrato contrat contract "
    "contratto vertrag ticket folio guia tracking envio colis reserva booking localizador operacion transaccion "
    "incidencia remesa lote registro registo inventario articulo artikel serie serial nserie codigo codice code cod "
    "cp zip "
)
# The number behind one of these is an amount.
AMOUNTS = _set(
    "importe importo montant monto amount betrag total totale subtotal saldo solde precio preco prezzo prix price "
    "preis valor valore coste costo cost cuota deuda suma somme somma summe "
)
# A number beside one of these is an amount or a measure.
UNITS = _set(
    "eur euro euros usd gbp chf mxn ars brl cop clp pen dolar dolares dollar dollars libras pesos reais kg g gr km "
    "m cm mm m2 m3 l ml kwh kw mb gb tb uds ud unidades pts"
)

_NAMES = {
    "ES": "espana spain espagne spanien spagna espanha espanya",
    "PT": "portugal portogallo",
    "FR": "francia france frankreich franca",
    "DE": "alemania germany deutschland allemagne germania alemanha alemanya",
    "IT": "italia italy italie italien",
    "GB": "inglaterra uk england gran_bretana great_britain reino_unido united_kingdom angleterre",
    "IE": "irlanda ireland irlande irland",
    "NL": "holanda holland netherlands paises_bajos niederlande pays_bas nederland",
    "BE": "belgica belgium belgique belgien belgie belgio",
    "CH": "suiza switzerland suisse schweiz svizzera",
    "AT": "austria osterreich autriche",
    "LU": "luxemburgo luxembourg",
    "AD": "andorra andorre",
    "GI": "gibraltar",
    "PL": "polonia poland polska",
    "RO": "rumania romania roumanie",
    "BG": "bulgaria",
    "UA": "ucrania ukraine",
    "RU": "rusia russia",
    "MA": "marruecos morocco maroc",
    "DZ": "argelia algeria algerie",
    "TN": "tunez tunisia tunisie",
    "SN": "senegal",
    "US": "usa eeuu ee_uu estados_unidos united_states",
    "CA": "canada",
    "MX": "mexico mejico",
    "AR": "argentina",
    "BR": "brasil brazil bresil",
    "CL": "chile",
    "CO": "colombia",
    "PE": "peru",
    "VE": "venezuela",
    "EC": "ecuador",
    "BO": "bolivia",
    "PY": "paraguay",
    "UY": "uruguay",
    "CU": "cuba",
    "DO": "republica_dominicana",
    "HN": "honduras",
    "GT": "guatemala",
    "SV": "el_salvador",
    "NI": "nicaragua",
    "CR": "costa_rica",
    "PA": "panama",
    "CN": "china",
    "IN": "india",
    "PK": "pakistan",
    "JP": "japon japan",
    "SE": "suecia sweden sverige",
    "NO": "noruega norway norge",
    "DK": "dinamarca denmark danmark",
    "FI": "finlandia finland suomi",
    "GR": "grecia greece",
    "TR": "turquia turkey turkiye",
    "IL": "israel",
    "GQ": "guinea_ecuatorial",
    "PH": "filipinas philippines",
    "CZ": "chequia czechia republica_checa",
    "HU": "hungria hungary",
    "SK": "eslovaquia slovakia",
    "HR": "croacia croatia",
    "AU": "australia",
    "ZA": "sudafrica south_africa",
    "AE": "emiratos uae",
}
COUNTRIES = {word.replace("_", " "): country for country, words in _NAMES.items() for word in words.split()}


@cache
def codes() -> frozenset[str]:
    """Return the two-letter codes that may stand in parentheses for a country; (UK) is one as well."""
    return frozenset(SUPPORTED_REGIONS)
