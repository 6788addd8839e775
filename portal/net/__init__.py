"""How the portal reaches addresses that a person has set. It must not know what is fetched or sent there, or why:
sources and notices both go out by this door, and know nothing of each other."""
