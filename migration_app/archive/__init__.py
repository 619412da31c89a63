"""Archives of API objects and transcripts: read as streams, classified, assembled to threads.

Standard library and ``migration_app.contracts`` only: no Django, no SDK, no database, no network.
"""
