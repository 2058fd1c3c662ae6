"""What the steps need from outside, in the domain's words. Adapters meet these shapes.

Every method is async and may raise `Unavailable`; what else it raises is said there. Nothing here
retries by itself.
"""

from copilot.ports.agents import Agents
from copilot.ports.clock import Clock
from copilot.ports.cluster import Cluster, ClusterInfo, Delta, Kind, Named, TokenReviews
from copilot.ports.git import GitHost
from copilot.ports.incidents import Incidents, NewEntry, NewIncident
from copilot.ports.knowledge import Index, Memories, Runbooks
from copilot.ports.models import Embedder, EmbedderUse, LanguageModel, Reply
from copilot.ports.notifier import Notifier
from copilot.ports.objects import Objects
from copilot.ports.people import Accounts
from copilot.ports.queues import Due, Job, Jobs, Outbox, Unsent
from copilot.ports.records import Audit, AuditRow, CheckedChain, Feed, Held
from copilot.ports.remediation import Remediation
from copilot.ports.store import Capabilities, Session, Store
from copilot.ports.telemetry import Counts, SetAsideRow, StoredBatch, Telemetry

__all__ = [
    "Accounts",
    "Agents",
    "Audit",
    "AuditRow",
    "Capabilities",
    "CheckedChain",
    "Clock",
    "Cluster",
    "ClusterInfo",
    "Counts",
    "Delta",
    "Due",
    "Embedder",
    "EmbedderUse",
    "Feed",
    "GitHost",
    "Held",
    "Incidents",
    "Index",
    "Job",
    "Jobs",
    "Kind",
    "LanguageModel",
    "Memories",
    "Named",
    "NewEntry",
    "NewIncident",
    "Notifier",
    "Objects",
    "Outbox",
    "Remediation",
    "Reply",
    "Runbooks",
    "Session",
    "SetAsideRow",
    "Store",
    "StoredBatch",
    "Telemetry",
    "TokenReviews",
    "Unsent",
]
