"""Webhooks: a person's own program that is notified when a file ends."""
