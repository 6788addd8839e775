"""E-mail: content, building the message, and sending it over SMTP."""
