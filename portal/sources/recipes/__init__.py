"""Recipes: the TOML files that describe a source. Loading, checking and filling them; `examples` ships with the portal.

No network, no database, no Flask (but for `words`).
"""
