"""A patch as an edit of the manifests in Git. Pure, but for `pull.py`, which asks the Git host."""
