"""Nonsense of every kind to every route: a 4xx with a JSON error code, never a 5xx, never half a write."""
