"""The deployables: thin apps that authenticate, parse, call the flow or a port, and answer."""
