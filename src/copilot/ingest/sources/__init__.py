"""One module a sender: the only code that knows a sender's format."""
