"""A telephone number in a cell: `parse` gives it in E.164, or the reason why there is none. Pure.

The rule: never another number than a person reads in that cell; and what a person reads there is found or offered. A
number is looked up only when it is the one clear number of the cell. What is likely, and not certain, is offered:
the result has a reason, and the numbers that may be meant in `offered`.

`cell` takes the text apart and `number_run` its runs of digits; `dialling` reads digits as a number of a country, with
what people write too much or too little, and `plain_reading` as they are, by the tables of `number_tables`.
`spanish_plan` has what libphonenumber lacks of Spain, `cell_words` the words around numbers, and `reasons` each reason
with its sentence and an example. None may import phonenumbers' geocoder, carrier or timezone: the web process uses this
room, and the geocoder alone takes 97 MB.
"""

from portal.phone.cell import PARSER_VERSION, parse
from portal.phone.number_tables import countries
from portal.phone.plain_reading import Phone, reason_of_error, reason_of_length
from portal.phone.reasons import REASONS, Reason

__all__ = [
    "PARSER_VERSION", "REASONS", "Phone", "Reason", "countries", "parse", "reason_of_error", "reason_of_length",
]  # fmt: skip
