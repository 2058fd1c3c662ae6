"""How search finds by meaning, and how far its index is behind: for people and for scrapers."""

from __future__ import annotations

from copilot.ports import Embedder, Session
from copilot.roles.views import IndexView


async def index_view(view: Session, embedder: Embedder) -> IndexView:
    """As it is now."""
    behind = await view.index.backlog(embedder.name or None)
    return IndexView(
        model=embedder.name or None,
        about=embedder.about,
        documents=sum(one.documents for one in behind),
        words_waiting=sum(one.words for one in behind),
        vectors_waiting=sum(one.vectors for one in behind),
        texts=embedder.use.texts,
        tokens=embedder.use.tokens,
        cost_usd=embedder.use.cost_usd,
    )
