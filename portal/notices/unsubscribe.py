"""The address by which one kind of letter is switched off without signing in. Its token is signed and opens nothing
else: whoever finds it can stop these letters, and that is all.
"""

from flask import current_app
from itsdangerous import BadSignature, URLSafeSerializer

from portal.notices.kinds import NoticeKind, rule_of
from portal.notices.preferences import DEFAULTS


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.config["SECRET_KEY"], salt="stop-letters")


def unsubscribe_address(kind: NoticeKind, user_id: int) -> str:
    """Where this person stops letters of this kind; empty for a kind that cannot be stopped."""
    wish = rule_of(kind).preference
    return f"{current_app.config['PUBLIC_URL']}/notices/stop/{_signer().dumps([user_id, wish])}" if wish else ""


def read_token(token: str) -> tuple[int, str] | None:
    """Whose letters of which wish; None for a token that we did not sign."""
    try:
        user_id, wish = _signer().loads(token)
    except (BadSignature, TypeError, ValueError):
        return None
    return (user_id, wish) if isinstance(user_id, int) and wish in DEFAULTS else None
