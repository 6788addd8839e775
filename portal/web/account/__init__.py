"""The pages of one's own account that grew too large for `web.auth`. They bind to its blueprint."""
