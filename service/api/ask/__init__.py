"""A command line in free order, read into the same flat parameters that a query string has."""
