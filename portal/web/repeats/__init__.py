"""Files that are looked up again at fixed times: setting the time on a file's page, and what changed since."""
