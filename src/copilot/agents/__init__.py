"""The agents read and propose: each is one function from a case to a value, and none of them
writes anything, to the store or to the cluster."""
