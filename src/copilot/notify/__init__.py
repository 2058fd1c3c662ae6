"""Channels to people elsewhere. Each says honestly whether a message surely was not delivered.

Only then may it be sent again: a second page at night costs more trust than a missing update.
"""
