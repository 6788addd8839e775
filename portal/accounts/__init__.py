"""People: who may sign in, their sessions, the one-time addresses, and the brake on guessing passwords.

It must not know Flask's requests or any page. Every verb takes the moment it happens, and opens its own short
transaction: call none of them inside another one. Only `audit` writes into its caller's.
"""

from portal import audit
from portal.accounts.errors import AccountError, AccountProblem, TooManyTries
from portal.accounts.models import LoginSession, LoginThrottle, OneTimeAddress, User
from portal.accounts.sessions import end_session, session_user, start_session
from portal.accounts.setup_link import make_setup_address, setup_address_is_open, use_setup_address
from portal.accounts.users import anybody_here, change_password, choose_look, create_user, set_retention, sign_in

__all__ = [
    "AccountError",
    "LoginSession",
    "LoginThrottle",
    "OneTimeAddress",
    "AccountProblem",
    "TooManyTries",
    "User",
    "anybody_here",
    "audit",
    "change_password",
    "choose_look",
    "create_user",
    "end_session",
    "make_setup_address",
    "session_user",
    "set_retention",
    "setup_address_is_open",
    "sign_in",
    "start_session",
    "use_setup_address",
]
