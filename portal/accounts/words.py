"""A sentence for each problem: what is wrong and what to do."""

from flask_babel import lazy_gettext
from flask_babel.speaklater import LazyString

from portal.accounts.passwords import MAX_LENGTH, MIN_LENGTH
from portal.accounts.problems import Problem

PROBLEMS: dict[Problem, LazyString] = {
    Problem.EMAIL_WRONG: lazy_gettext("This is not an e-mail address. It should look like ana@example.com."),
    Problem.EMAIL_TAKEN: lazy_gettext("Somebody with this e-mail address is here already."),
    Problem.PASSWORD_SHORT: lazy_gettext(
        "The password is too short. Take at least %(length)s characters; a few words in a row are good.",
        length=MIN_LENGTH,
    ),
    Problem.PASSWORD_LONG: lazy_gettext(
        "The password is too long. Take at most %(length)s characters.", length=MAX_LENGTH
    ),
    Problem.PASSWORD_WRONG: lazy_gettext("Your present password is not right, so nothing was changed."),
    Problem.OWN_ACCOUNT: lazy_gettext(
        "You cannot take the portal from yourself: another administrator has to do it. So it always has one."
    ),
    Problem.ADDRESS_OVER: lazy_gettext("This link has been used or has run out."),
}
