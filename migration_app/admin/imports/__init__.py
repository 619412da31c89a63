"""Pages of imports, and the upload."""
