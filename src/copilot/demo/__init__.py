"""The demo cluster: a small, honest subset of the Kubernetes API and its simulated workloads.

It is an app of its own that speaks HTTP; the product talks to it as to any API server. Nobody but
`cli` imports it, and it knows nothing of the product but `copilot.domain`. What it answers is held
by `tests/contract/test_cluster*.py`, which runs unchanged against a real API server: where the two
differ, this package is wrong.

Everything in here moves only when the clock that it is given moves. Start reading at `cluster.py`.
"""
