"""Limits how often a source is requested: rate limiter and circuit breaker, shared by all workers through Redis."""
