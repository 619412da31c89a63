"""Stored source payloads, unchanged and hashed: pages, source objects, deletions, and what runs cost.

Calls no API, and changes no status.
"""
