"""Scenarios of this kind register here."""
