"""From an approved proposal to a proven or reverted change; no language model has a say in here.

`propose` makes proposals out of drafts: `plan` says what is sent (`edits` forward, `merging` back,
`operations` beside), `surveying` looks around the object, `guard` and `risk` judge, `dry_run` and
`operate.rehearse` ask the cluster, `digest` pins it. `apply`, `verify` and `revert` are leg 3;
`sight` looks at the workload that proves it. What talks to the cluster does so through its port and
may be called again after a crash: nothing is done twice. Everything else is pure.
"""
