"""Faults while the service is under load, and what callers lost."""
