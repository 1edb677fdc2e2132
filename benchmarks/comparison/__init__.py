"""Card counts of this planner beside those of its peers."""
