"""Safe requests to addresses that people configure. It must not know what is fetched or sent, or why: sources and
notices both use it and must not know each other."""
