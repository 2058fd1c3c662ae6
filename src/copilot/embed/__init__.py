"""What texts mean, as vectors: by a small model of our own, by any OpenAI-compatible API, or not.

Importing this package costs nothing: who has no embedder pays for none, and the local model is read
when the first text comes.
"""

from copilot.embed.absent import NoEmbedder

__all__ = ["NoEmbedder"]
