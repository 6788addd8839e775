"""Read digits as a number of a country: as they are, then with what people write too much or too little. Pure.

It is given digits only, so that libphonenumber cannot turn letters into digits or cut the text itself.
"""

from dataclasses import replace

from phonenumbers import PhoneNumber
from phonenumbers.shortnumberinfo import is_valid_short_number_for_region

from portal.phone.number_tables import calling_code, code_of, lengths_of, shortest_of
from portal.phone.plain_reading import Phone, failed, plain, plain_abroad, spanish
from portal.phone.reasons import Reason

LONGEST = 17  # digits of one number with 00 and its country's code
SHORTEST = 7  # digits of a part of a cell that may be a number of its own
_LONG_SHORT = 6  # digits of the longest short number, 116000
# Longer national numbers exist in few countries, and rarely: a number that also has another reading is then not clear.
_USUAL_LENGTH = 11
_SHORTEST_OFFER = 6
_WITHOUT_CODE = 10  # most digits of a whole number of a country without the country's code
_E164 = 15  # most digits of a number with its country's code
_FOREIGN_LENGTH = 9  # digits of a number with its country's code; a shorter one has lost digits


def read(digits: str, plus: bool, country: str, *, code_apart: bool = False) -> Phone:
    """Read ASCII digits as one number, `plus` when a + stands before them. `country` is for those without.

    `code_apart`: the digits behind the + are a country's code that is set apart, so that there is no doubt about it.

    The result has offers when another reading than the obvious one is valid.
    """
    if len(digits) > LONGEST:
        return failed(Reason.TOO_LONG)
    if plus:
        return _with_plus(digits, country, code_apart)
    if digits.startswith("00"):
        abroad = _international(digits[2:])
        if abroad.reason is None:
            return abroad
        home = _national(digits, country)
        if home.reason is None:
            return home
        bare = plain(digits.lstrip("0"), country)
        if bare.e164 and not abroad.offered:  # 00600123123
            return failed(Reason.LEADING_ZERO, (bare.e164,))
        return home if home.reason is Reason.UNKNOWN_RANGE else abroad
    return _national(digits, country)


def may_be_valid(digits: str, country: str) -> bool:
    """Return whether `read` can find a number in these digits without a +. Costs next to nothing."""
    if not SHORTEST <= len(digits) <= LONGEST:
        return False
    if digits.startswith("00"):
        return True
    code = str(calling_code(country) or "")
    lengths, rest = lengths_of(country), digits.lstrip("0")
    if len(digits) in lengths or len(rest) in lengths:
        return True
    # Prefixes that are dialled at home only: a carrier's in Brazil, 044 in Mexico, 15 in Argentina.
    return rest.startswith(code) or (country in ("BR", "MX", "AR", "CO") and len(digits) - min(lengths) < 6)


def _with_plus(digits: str, country: str, code_apart: bool) -> Phone:
    """Read digits behind a +, which people also put before a number without its country's code."""
    phone = _international(digits)
    if phone.reason is None and (code_apart or len(digits) > _WITHOUT_CODE or len(lengths_of(country)) > 2):
        return phone
    home = _national(digits, country)
    if phone.e164:
        both = home.e164 is not None and home.e164 != phone.e164
        return failed(Reason.AMBIGUOUS, (phone.e164, str(home.e164))) if both else phone
    return replace(phone, offered=(home.e164,)) if home.e164 else phone


def _international(digits: str) -> Phone:
    """Read digits that begin with a country's code: as they are, then without what people write too much."""
    if len(digits.lstrip("0")) > _E164 + 2:
        return failed(Reason.TOO_LONG)
    if len(digits) == 11 and digits.startswith("34") and (own := spanish(digits[2:])) is not None:
        return own
    phone = plain_abroad(digits) if len(digits) <= _E164 else failed(Reason.TOO_LONG)
    if phone.reason is None:
        return phone
    code = code_of(digits)
    if code is None:
        bare = digits.lstrip("0")
        return _international(bare) if bare != digits and code_of(bare) else phone
    rest = digits[len(code) :]
    for shorter in _without_doubles(code, rest):
        other = plain_abroad(code + shorter)
        if other.reason is None:
            return other
    return phone


def _without_doubles(code: str, rest: str) -> list[str]:
    """The rest of a number without a second country's code, a 0 that is only dialled at home, and Mexico's old 1."""
    found = [rest[len(again) :] for again in (code, "00" + code, "0" + code) if rest.startswith(again)]
    if rest.startswith("0"):
        found.append(rest.lstrip("0"))
    if code == "52":
        found.extend(_mexican(rest))
    return found


def _mexican(digits: str) -> list[str]:
    """The ten digits behind 1, 01, 044 or 045, which Mexico gave up in August 2019."""
    return [digits[len(old) :] for old in ("044", "045", "01", "1") if digits.startswith(old) and
            len(digits) == len(old) + 10]  # fmt: skip


def _national(digits: str, country: str) -> Phone:
    """Read digits without a prefix: as a number of the country, then with what is missing or too much."""
    if country == "ES" and len(digits) == 9 and (own := spanish(digits)) is not None:
        return own
    if len(digits) < shortest_of(country):
        return failed(Reason.SHORT_NUMBER if _is_short(digits, country) else Reason.TOO_SHORT)
    code = str(calling_code(country) or "")
    home = plain(digits, country)
    if home.e164:
        own = _own(digits, code, home)
        if own and own.e164 != home.e164:
            return failed(Reason.AMBIGUOUS, (str(own.e164), home.e164))
        return home
    if code:
        bare = digits.lstrip("0")
        if bare.startswith(code):
            own = _international(bare)
            if own.e164:
                return own
        if country == "MX":
            for shorter in _mexican(digits):
                phone = plain(shorter, country)
                if phone.e164:
                    return phone
        if _is_short(digits, country):
            return failed(Reason.SHORT_NUMBER)
    return _offering(home, digits, country)


def _own(digits: str, code: str, home: Phone) -> Phone | None:
    """The reading of a valid national number as one that begins with the country's own code, if that is valid too."""
    bare = digits
    if digits.startswith("0") and len(digits) > _USUAL_LENGTH + 1:
        bare = digits[1:]
    if not code or not bare.startswith(code) or home.e164 == "+" + bare:
        return None
    own = plain_abroad(bare)
    return own if own.e164 else None


def _is_short(digits: str, country: str) -> bool:
    if len(digits) > _LONG_SHORT:
        return False
    zero = digits.startswith("0")
    number = PhoneNumber(
        calling_code(country), int(digits), italian_leading_zero=zero or None,
        number_of_leading_zeros=len(digits) - len(digits.lstrip("0")) if digits.startswith("00") else None,
    )  # fmt: skip
    return is_valid_short_number_for_region(number, country)


def _offering(home: Phone, digits: str, country: str) -> Phone:
    """Add the numbers that invalid digits may mean: with a 0 more or less, or of another country."""
    bare = digits.lstrip("0")
    for other in ("0" + digits, bare):
        if other != digits:
            phone = plain(other, country) if len(other) in lengths_of(country) else home
            if phone.e164 and len(other) >= _SHORTEST_OFFER:
                return failed(Reason.LEADING_ZERO, (phone.e164,))
    if _FOREIGN_LENGTH <= len(bare) < _E164:  # sixteen digits in fours are a card
        foreign = _international(bare)
        if foreign.e164:
            return failed(Reason.OTHER_COUNTRY, (foreign.e164,))
    return home
