"""TiDB behind the seam, and MariaDB 10.11+ and MySQL 8 by what they can do.

Nothing in here relies on what only one of them does: no SKIP LOCKED, no GET_LOCK, no order by id.
Every connection verifies the server's certificate, unless it is on loopback and was asked not to.
"""

from copilot.store.mysql.address import Address, parse_address
from copilot.store.mysql.engine import MysqlEngine, open_store

__all__ = ["Address", "MysqlEngine", "open_store", "parse_address"]
