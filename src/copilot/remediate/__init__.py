"""From an approved proposal to a proven or reverted change; no language model has a say in here.

`propose` makes proposals out of drafts (`plan`, `guard`, `risk`, `dry_run`, `digest`), `apply`,
`verify` and `revert` are leg 3. Only `propose`, `dry_run`, `apply`, `verify` and `revert` talk to
the cluster, through its port; everything else is pure. Each may be called again after a crash and
does nothing twice.
"""
