"""Sources that answer over HTTP: the session of one attempt, requests, responses and what they mean."""
