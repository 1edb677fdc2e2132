"""HTTP: routes, request schemas, problem answers."""
