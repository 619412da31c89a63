"""The readiness page."""
