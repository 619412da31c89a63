"""Findings: each kind once, with its severity and text, and how conversion collects them."""
