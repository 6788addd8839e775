"""E-mail: the content, the message built from it, and sending it over SMTP."""
