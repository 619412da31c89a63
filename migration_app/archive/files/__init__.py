"""Bytes become documents: compression, encodings, JSON in any shape, CSV, and limits of nesting."""
