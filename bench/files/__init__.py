"""Files in and out: archives, ids and the mapping, each against the plainest way to do it."""
