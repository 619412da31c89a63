"""The pure conversion: source objects in, target items and findings out.

Standard library and ``migration_app.contracts`` only: no Django, no SDK, no database, no network, no clock.
No function here raises on any decoded JSON, none changes its input, and the same input gives the same bytes.
docs/conversion.md describes every source shape.
"""
