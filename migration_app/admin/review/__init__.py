"""The review queue's pages: groups, the threads of a group, one thread beside what was read, decisions."""
