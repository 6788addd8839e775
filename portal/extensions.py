"""The Flask extensions, created without an application; `application.build` binds them to it."""

from flask_babel import Babel
from flask_login import LoginManager
from flask_mail import Mail
from flask_migrate import Migrate
from flask_wtf import CSRFProtect
from htmx_flask import Htmx

babel = Babel()
csrf = CSRFProtect()
htmx = Htmx()
login = LoginManager()
mail = Mail()
migrate = Migrate()
