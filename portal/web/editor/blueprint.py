"""The blueprint that the editor's pages share."""

from flask import Blueprint
from flask_login import current_user

from portal.sources import catalogue

blueprint = Blueprint("editor", __name__)


@blueprint.before_request
def know_what_was_saved() -> None:
    """Know the keys and the sources that another process of the web has just saved."""
    if current_user.is_authenticated and current_user.is_admin:
        catalogue.refresh_now()
