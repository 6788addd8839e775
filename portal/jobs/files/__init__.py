"""A person's files as they look after them: their list, their names, notes and labels, the trash, and several at once.

A file is a job or, before it is started, a document. It must not look anything up, nor know pages.
"""
