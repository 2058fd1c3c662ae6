"""Shortest ways to make the nouns in tests; every field can be given."""
