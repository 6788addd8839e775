"""The blueprint that the editor's pages share."""

from flask import Blueprint

blueprint = Blueprint("editor", __name__)
