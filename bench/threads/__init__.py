"""Threads through the engine, against the vendor's script, against reading alone, and against themselves."""
