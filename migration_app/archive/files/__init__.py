"""Bytes become documents: compression, encodings, JSON in any shape, CSV, and how deep either may go."""
