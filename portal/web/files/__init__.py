"""A person's files as a whole: their list on the home page, several at once, their names and labels, and the trash."""
