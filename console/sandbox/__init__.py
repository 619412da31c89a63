"""A stand-in for both OpenAI APIs, with their limits and their faults: for demos, tests and rehearsals.

In memory only, no database, nothing kept. It imports neither Django nor `migration_app`, and the application
never imports it: the two meet over HTTP, as with the real service.
"""
