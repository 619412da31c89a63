"""Pages of threads and their conversations, of runs and of what a person decides."""
