"""Faults and quiet scenes on a real cluster, and what a co-pilot makes of them.

A scenario is a folder: manifests, and `expect.yaml` with what must be found. The product never
reads them, and nothing in here is read from the product but its HTTP API.
"""
