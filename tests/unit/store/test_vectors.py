"""Vectors as TiDB takes and compares them; what it answers is not seen here."""

from __future__ import annotations

import struct

from copilot.store.vectors import as_bytes, as_text, nearest


def test_a_vector_survives_its_way_as_text() -> None:
    vector = struct.pack("<4f", 0.1, -1.0, 1e-30, 16_777_217.0)

    assert as_bytes(as_text(vector)) == vector


def test_vectors_of_another_length_are_left_out_before_they_are_compared() -> None:
    """TiDB fails the whole statement on two lengths."""
    _, _, condition = nearest("runbook_vec", "chunk_id").partition(" WHERE ")

    assert "VEC_DIMS(embedding) = ?" in condition
