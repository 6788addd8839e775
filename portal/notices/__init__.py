"""What people are told. A notice carries its facts with it: this room knows neither jobs, documents nor sources."""
