"""Reconciliation, as far as the database goes: what is checked, how rows are chosen, records, and the report.

Calls no API: ``backfill.reconcile`` reads the target and the live source, and runs the whole.
"""
