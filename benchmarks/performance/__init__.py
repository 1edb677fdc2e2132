"""How fast the service is, against floors of the same run: `python -m benchmarks.performance`."""
