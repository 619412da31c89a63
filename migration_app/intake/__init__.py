"""Imports: archives, transcripts and thread ids, from files and uploads into the console. Never imports jobs."""
