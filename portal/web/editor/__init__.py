"""The editor of sources, for administrators: from a pasted command to a source that people can choose, step by step,
and the versions of a source. Every page works without JavaScript. It sends no request to a source: a worker does.
"""
