"""Recipes: the TOML files that describe sources. Reads, checks and fills them; `examples` ships with the portal.

No network, no database, and no Flask except in `words`.
"""
