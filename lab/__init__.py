"""A single-node Kubernetes of real parts, for tests and for trying things.

Everything in here runs on the standard library alone (but `fake_kubelet`, which needs aiohttp), and
an instance touches nothing outside its own namespaces, control groups and folders: several live
side by side, and killing one process ends all of one instance.
"""
