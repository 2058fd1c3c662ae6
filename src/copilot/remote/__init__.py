"""Agents in other processes, over HTTP, behind the same port as those in this one (`local.py`).

`agents.py` knows which question goes where, `asking.py` how one is asked (who we are, how long
there is, when it is asked again), `wire.py` what crosses.
"""

from copilot.remote.agents import RemoteAgents
from copilot.remote.asking import Asker

__all__ = ["Asker", "RemoteAgents"]
