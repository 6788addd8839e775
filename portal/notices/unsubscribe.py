"""The unsubscribe link: switches off one kind of e-mail without signing in.

Its token is signed and can do nothing else: anyone who finds it can stop these e-mails, and that is all.
"""

from flask import current_app
from itsdangerous import BadSignature, URLSafeSerializer

from portal.notices.kinds import NoticeKind, rule_of
from portal.notices.preferences import DEFAULTS


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.config["SIGNING_KEYS"], salt="stop-letters")  # links already sent depend on it


def unsubscribe_address(kind: NoticeKind, user_id: int) -> str:
    """Where this person unsubscribes from this kind; empty for a kind that cannot be switched off."""
    preference = rule_of(kind).preference
    if preference is None:
        return ""
    return f"{current_app.config['PUBLIC_URL']}/notices/stop/{_signer().dumps([user_id, preference])}"


def read_token(token: str) -> tuple[int, str] | None:
    """The person and the preference that the token switches off; None for a token that we did not sign."""
    try:
        user_id, preference = _signer().loads(token)
    except (BadSignature, TypeError, ValueError):
        return None
    return (user_id, preference) if isinstance(user_id, int) and preference in DEFAULTS else None
