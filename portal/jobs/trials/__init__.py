"""Single numbers that administrators ask about: at a source, or at a draft that is being written. A page requests it, a
worker asks, and what it costs is counted. No file and no job may come in here.
"""
