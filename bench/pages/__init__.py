"""Pages of the admin at two sizes of the estate."""
