"""Why a cell has no number that is looked up: one member, one sentence and one example for each. Pure.

The table is the only place: pages, files and `docs/numbers.md` take their sentences and examples from it, and a test
parses each example. The texts are English msgids, translated where they are shown.
"""

from dataclasses import dataclass
from enum import StrEnum


def N_(text: str) -> str:
    """Mark a text for the extraction, without translating it."""
    return text


class Reason(StrEnum):
    """The code of a reason. It is in databases: a code keeps its text and its meaning for ever."""

    BLANK = "blank"
    NOT_A_NUMBER = "not_a_number"
    LONG_TEXT = "long_text"
    ERROR_CELL = "error_cell"  # #N/A
    NO_RESULT = "no_result"  # a formula for which the file has no result
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    UNKNOWN_RANGE = "unknown_range"  # the length is right, but the number is not assigned in its country
    UNKNOWN_COUNTRY = "unknown_country"  # no country has this code
    SHORT_NUMBER = "short_number"  # 112: it is whole, and no source can be asked about it
    EXCEL_DAMAGED = "excel_damaged"  # 6,12E+08: the digits are lost
    NEGATIVE = "negative"  # -912345644: what Excel makes of +34-912345678
    AMOUNT = "amount"
    DATE = "date"
    IDENTIFIER = "identifier"  # DNI, IBAN, an order's number
    MASKED = "masked"  # 600123XXX
    LETTERS = "letters"  # 6OO123123
    SEVERAL_NUMBERS = "several_numbers"  # more than one in the same cell, and not all are certain
    EXTRA_DIGITS = "extra_digits"  # 600123123 5
    OTHER_COUNTRY = "other_country"  # 447911123456 in a Spanish file
    LEADING_ZERO = "leading_zero"  # 212345678 in an Italian file
    AMBIGUOUS = "ambiguous"  # 4916012345678 in a German file


@dataclass(frozen=True)
class ReasonText:
    """The sentence of a reason (an English msgid: what is the matter, then what to do) and a cell that has it. `typed`
    is the sentence for a number that is typed without a file, where that speaks of a cell or a column."""

    sentence: str
    example: str
    country: str = "ES"  # of the file that the example is in
    typed: str = ""


_TYPED_WORDS = N_("This is not a telephone number. Write only the number.")

REASONS: dict[Reason, ReasonText] = {
    Reason.BLANK: ReasonText(N_("The cell is blank. There is nothing to look up."), "", typed=_TYPED_WORDS),
    Reason.NOT_A_NUMBER: ReasonText(
        N_("This is not a telephone number. Write only the number in the cell."), "sin teléfono", typed=_TYPED_WORDS
    ),
    Reason.LONG_TEXT: ReasonText(
        N_("The cell has a long text. Write only the number in the cell."),
        "Llamar solo por las tardes. " * 10,
        typed=_TYPED_WORDS,
    ),
    Reason.ERROR_CELL: ReasonText(
        N_("The cell has an error of the spreadsheet. Fix its formula, or write the number."),
        "#N/A",
        typed=_TYPED_WORDS,
    ),
    Reason.NO_RESULT: ReasonText(
        N_(
            "The cell has a formula, but the file does not have its result. Open the file in your spreadsheet program, "
            "save it and upload it again."
        ),
        "=B2&C2",
        typed=_TYPED_WORDS,
    ),
    Reason.TOO_SHORT: ReasonText(N_("The number has too few digits. Add the missing digits."), "60012312"),
    Reason.TOO_LONG: ReasonText(
        N_("The number has too many digits. Check that it is one number, written once."), "60012312399999"
    ),
    Reason.UNKNOWN_RANGE: ReasonText(
        N_("This number does not exist in its country. Check the digits and the country."), "200123123"
    ),
    Reason.UNKNOWN_COUNTRY: ReasonText(
        N_("No country has this code. Check the digits after the + or 00."), "+999 600123123"
    ),
    Reason.SHORT_NUMBER: ReasonText(
        N_("This is a short number, such as 112. It is complete, but sources only know ordinary numbers."), "112"
    ),
    Reason.EXCEL_DAMAGED: ReasonText(
        N_(
            "Excel shortened the number and lost some of its digits. Format the column as text and enter the number "
            "again."
        ),
        "6,12E+08",
        typed=N_("Excel shortened the number and lost some of its digits. Write all of them."),
    ),
    Reason.NEGATIVE: ReasonText(
        N_(
            "This is a negative number. Excel may have subtracted it from its prefix: format the column as text and "
            "enter the telephone number again."
        ),
        "-912345644",
        typed=N_("This is a negative number. Write the telephone number without a minus."),
    ),
    Reason.AMOUNT: ReasonText(
        N_("This looks like an amount or a decimal number. Write the telephone number without a decimal point."),
        "6123456.78",
    ),
    Reason.DATE: ReasonText(
        N_("This is a date or a time. Write the telephone number in the cell."),
        "31/01/2026",
        typed=N_("This is a date or a time. Write the telephone number."),
    ),
    Reason.IDENTIFIER: ReasonText(
        N_("This looks like an identifier, such as an ID card or an order number. Write only the telephone number."),
        "DNI 12345678Z",
    ),
    Reason.MASKED: ReasonText(N_("Some digits of the number are hidden. Write the whole number."), "600123XXX"),
    Reason.LETTERS: ReasonText(
        N_("There are letters among the digits. Write the number with digits only."), "6OO123123"
    ),
    Reason.SEVERAL_NUMBERS: ReasonText(
        N_("The cell has more than one number, and not all are certain. Write each one whole, with / between them."),
        "911234567/68",
        typed=N_("This is more than one number. Look them up one by one, or paste them as a list."),
    ),
    Reason.EXTRA_DIGITS: ReasonText(
        N_("There are more digits beside the number. Write only the number in the cell."),
        "600123123 5",
        typed=N_("There are more digits beside the number. Write only the number."),
    ),
    Reason.OTHER_COUNTRY: ReasonText(
        N_("This seems to be a number of another country. Write it with + and its country code."), "447911123456"
    ),
    Reason.LEADING_ZERO: ReasonText(
        N_("The zero at the start seems to be missing, or to be one too many. Check the number."), "212345678", "IT"
    ),
    Reason.AMBIGUOUS: ReasonText(
        N_("The number can be read in two ways. Write it with + and its country code."), "4916012345678", "DE"
    ),
}
