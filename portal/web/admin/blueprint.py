"""The blueprint of the administrators' pages. For other users these pages do not exist (404)."""

from flask import Blueprint

blueprint = Blueprint("admin", __name__)
