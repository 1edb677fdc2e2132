"""Replays of the allocator for random configurations."""
