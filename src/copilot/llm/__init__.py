"""The language model, where one is set: one turn of schema-constrained JSON over one API.

The contract is the one that OpenAI, Azure, vLLM, Ollama and llama.cpp share: `response_format` with
a JSON schema. Grammar gives valid JSON, not truth: who asks checks numbers, lengths and citations.
"""

from copilot.llm.openai_compatible import OpenAICompatible

__all__ = ["OpenAICompatible"]
