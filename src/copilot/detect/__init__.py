"""Signals to alerts, alerts to incidents. Everything in here is pure: no I/O, no clock."""
