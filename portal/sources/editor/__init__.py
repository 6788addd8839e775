"""The editor of recipes, without its pages: reads a pasted curl command, takes its secrets out, changes a recipe's TOML
without losing a comment, shows an answer as a tree, and proposes fields and rules from it. Knows no network, no
database and no Flask; never runs anything that an answer or a command contains.
"""
