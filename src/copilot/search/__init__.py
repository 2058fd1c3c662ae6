"""The query language, ranking and fusion. Everything in here is pure: the store does the finding."""
