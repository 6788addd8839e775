"""What a person reads about their webhook: what is wrong with an address, and why no answer came."""

from flask_babel import gettext

from portal.net.address_policy import Refusal
from portal.net.post import SECONDS


def refusal_words(code: Refusal) -> str:
    """Why an address is not asked, in a sentence that says what to do."""
    return {
        Refusal.HOST: gettext("This is no address. It looks like this: https://example.org/masterfilter"),
        Refusal.SCHEME: gettext("The address has to begin with https://."),
        Refusal.USERINFO: gettext("The address must not have a user name or a password in it."),
        Refusal.PORT: gettext("The address may only have the ports 443 and 8443."),
        Refusal.PRIVATE: gettext("The address leads into a private network, which the portal does not ask."),
        Refusal.REDIRECTS: gettext("The address answered with a redirect, which is not followed."),
    }[code]


def no_reply_words(late: bool) -> str:
    """Why no answer came."""
    if late:
        return gettext("No answer within %(n)s seconds.", n=round(SECONDS))
    return gettext("No connection, or it broke off before an answer came.")
