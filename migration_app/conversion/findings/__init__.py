"""Findings: each kind once, with its severity and its text, and the notes that conversion takes of them."""
