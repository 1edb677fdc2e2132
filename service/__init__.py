"""GPU memory planner: what a model needs, and the smallest set of cards that holds it."""
