"""The planner page: what a plan shows, as data for its templates."""
