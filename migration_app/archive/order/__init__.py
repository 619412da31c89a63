"""Objects from many pages and files become one thread: their order, gaps, and uncertainties."""
