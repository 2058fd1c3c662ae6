"""The Kubernetes API as `copilot.ports.Cluster`.

Everything inside talks to one API server and nothing else: raw JSON in and out, no generated
models, every call with a timeout and a bound on what it reads. Start at `cluster.py`.
"""

from copilot.kube.cluster import KubeCluster, connect

__all__ = ["KubeCluster", "connect"]
