"""Objects from many pages and files become one thread: in which order, with which gaps, and what nobody can tell."""
