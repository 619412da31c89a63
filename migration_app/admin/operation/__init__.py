"""The dashboard and the queues."""
