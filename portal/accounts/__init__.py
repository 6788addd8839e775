"""User accounts: who may sign in, sessions, one-time links, and the throttle on guessing passwords.

It must not know Flask's requests or any page. Every function takes the time as an argument and opens its own short
transaction, so do not call it inside another one. Only `audit` writes into its caller's transaction.
"""

from portal import audit
from portal.accounts.errors import AccountError, AccountProblem, TooManyTries
from portal.accounts.models import LoginSession, LoginThrottle, OneTimeLink, RecoveryCode, User
from portal.accounts.sessions import (
    end_other_sessions,
    end_session,
    living_sessions,
    session_id,
    session_user,
    sessions_of,
    start_session,
)
from portal.accounts.setup_link import make_setup_link, setup_link_is_open, use_setup_link
from portal.accounts.users import (
    SignedIn,
    any_user_exists,
    change_password,
    check_password,
    create_user,
    find_active,
    second_step,
    set_display,
    set_retention,
    sign_in,
    sign_out,
)
from portal.accounts.visitors import Visitor, remember_device

__all__ = [
    "AccountError",
    "LoginSession",
    "LoginThrottle",
    "OneTimeLink",
    "RecoveryCode",
    "SignedIn",
    "Visitor",
    "AccountProblem",
    "TooManyTries",
    "User",
    "any_user_exists",
    "audit",
    "change_password",
    "check_password",
    "end_other_sessions",
    "find_active",
    "living_sessions",
    "session_id",
    "remember_device",
    "second_step",
    "sessions_of",
    "sign_out",
    "set_display",
    "create_user",
    "end_session",
    "make_setup_link",
    "session_user",
    "set_retention",
    "setup_link_is_open",
    "sign_in",
    "start_session",
    "use_setup_link",
]
