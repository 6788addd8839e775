"""How often a source is asked: the rate limiter and the circuit breaker, shared by all workers through Redis."""
