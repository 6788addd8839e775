"""Webhooks: notify a person's own software when a file ends."""
