"""What the parser does not say of an ods, or does not read. Only for the child process."""
