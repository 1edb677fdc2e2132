"""Plans as other systems' own input: one function a system, all in one table."""
