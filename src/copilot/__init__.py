"""The Incident Co-Pilot: what broke, why, the evidence, one dry-run fix, and the proof."""

__version__ = "0.1.0"
