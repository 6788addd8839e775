"""The blueprint of the administrators' pages. For anybody else these pages do not exist."""

from flask import Blueprint

blueprint = Blueprint("admin", __name__)
