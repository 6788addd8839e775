"""What the parser does not say of an xlsx, and what it cannot hold, found by bytes. Only for the child process."""
