"""What one operator starts: kinds of batches, who may start and must approve them, pause and cancel, estimates.

Holds the claims by which workers take a batch's threads. Calls no API.
"""
