"""Archives of API objects and transcripts: read as streams, told apart, put together to threads.

Standard library and ``migration_app.contracts`` only: no Django, no SDK, no database, no network.
"""
