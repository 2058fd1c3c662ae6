"""The store: everything the co-pilot knows, durable once a transaction has committed.

Repositories (one module a noun) are plain portable SQL over the thin seam in `database.py`; an
adapter (`sqlite.py`, `mysql/`) supplies connections, transactions and a few words of dialect. Nothing
in here decides anything: rules, steps and the flow do.
"""

from copilot.store.session import SqlStore
from copilot.store.sqlite import open_store

__all__ = ["SqlStore", "open_store"]
