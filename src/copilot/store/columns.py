"""The lines of a few batches as columns, from which blocks, counts and rows are made. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np

from copilot.domain.event import Batch, LineAddress, Severity, Stream, Template
from copilot.store.blocks import Block, Ints, encoded

BUCKET_US = 10_000_000
"""Templates are counted in buckets of this length."""
_DENSE = 16
"""Places a line for which counting in a table is faster than sorting."""


class Columns:
    """All lines of these batches, one batch after the other.

    `stream` and `template` index into `streams` and `templates`, which name each one once.
    """

    def __init__(self, batches: Sequence[Batch]) -> None:
        self.batches = batches
        sizes = [len(batch.lines) for batch in batches]
        self.starts = [0, *np.cumsum(sizes, dtype=np.int64).tolist()]
        """Where each batch begins, and the end."""
        self.ts_us = _joined(batch.lines.ts_us for batch in batches)
        self.severity = _joined(batch.lines.severity for batch in batches)
        streams: dict[Stream, int] = {}
        templates: dict[bytes, tuple[int, Template]] = {}
        stream_parts, template_parts = [], []
        for batch in batches:
            stream_at = [streams.setdefault(stream, len(streams)) for stream in batch.streams]
            template_at = [
                templates.setdefault(template.fingerprint, (len(templates), template))[0]
                for template in batch.templates
            ]
            stream_parts.append(_picked(stream_at, batch.lines.stream))
            template_parts.append(_picked(template_at, batch.lines.template))
        self.streams = list(streams)
        self.templates = [template for _, template in templates.values()]
        self.stream = _joined(stream_parts)
        self.template = _joined(template_parts)

    @property
    def n(self) -> int:
        return len(self.ts_us)

    def parts(self) -> Iterator[tuple[Batch, int, int]]:
        """Each batch, with where its lines begin and end."""
        yield from zip(self.batches, self.starts, self.starts[1:], strict=False)

    def addresses(self, first: LineAddress | None) -> Iterator[LineAddress | None]:
        """Of each batch's first line, given that of the very first; None where it has no lines."""
        for batch, start, _ in self.parts():
            has_lines = first is not None and len(batch.lines) > 0
            yield replace(first, line=first.line + start) if first and has_lines else None

    def newest(self) -> dict[Stream, int]:
        """Time of the newest line of each stream that brought any."""
        return {self.streams[i]: last for i, _, last in _times_by(self.stream, self.ts_us)}

    def spans(self) -> dict[Template, tuple[int, int]]:
        """First and last time of each template among the lines."""
        found = _times_by(self.template, self.ts_us)
        return {self.templates[i]: (first, last) for i, first, last in found}

    def block(self, streams: Mapping[Stream, int], templates: Mapping[Template, int]) -> Block:
        """The lines with lasting ids."""
        text, lengths = encoded(list(chain(*(batch.lines.body for batch in self.batches))))
        return Block(
            ts_us=self.ts_us,
            stream=np.array([streams[one] for one in self.streams], np.int64)[self.stream],
            template=np.array([templates.get(t, 0) for t in self.templates])[self.template],
            severity=self.severity,
            lengths=np.array(lengths, np.int64),
            text=text,
        )

    def worth_a_row(self, unseen: Sequence[int]) -> list[int]:
        """Indexes of the lines that are warnings or worse, or the first of a template that was
        never seen (`unseen` are indexes into `templates`)."""
        is_chosen = self.severity >= Severity.WARN
        for template in unseen:
            is_chosen[int((self.template == template).argmax())] = True
        return [int(i) for i in np.flatnonzero(is_chosen)]

    def counted(self) -> tuple[Ints, Ints, Ints, Ints, Ints]:
        """How often each template was seen in each stream and bucket, and the last line of it:
        indexes of template and stream, bucket, count, index of the line."""
        buckets, bucket = np.unique(self.ts_us // BUCKET_US, return_inverse=True)
        n_streams, n_templates = len(self.streams), len(self.templates)
        key = (bucket * n_templates + self.template) * n_streams + self.stream
        if len(buckets) * n_templates * n_streams > _DENSE * self.n:
            found, key = np.unique(key, return_inverse=True)
        else:
            found = np.arange(len(buckets) * n_templates * n_streams)
        n = np.bincount(key, minlength=len(found))
        last = np.zeros(len(found), np.int64)
        last[key] = np.arange(self.n)  # of several the last one stays
        there = np.flatnonzero(n)
        rest, stream = np.divmod(found[there], n_streams)
        bucket, template = np.divmod(rest, n_templates)
        return template, stream, buckets[bucket] * BUCKET_US, n[there], last[there]


def _joined(parts: Iterable[Ints | list[int]]) -> Ints:
    found = [np.asarray(part, np.int64) for part in parts]
    return np.concatenate(found) if found else np.empty(0, np.int64)


def _picked(table: list[int], indexes: list[int]) -> Ints:
    return np.array(table, np.int64)[np.array(indexes, np.int64)]


def _times_by(group: Ints, ts_us: Ints) -> list[tuple[int, int, int]]:
    """Each group there is, with its first and last time."""
    if not len(group):
        return []
    narrow = group.astype(np.uint16) if group.max() < 1 << 16 else group  # sorts much faster
    order = np.argsort(narrow, kind="stable")
    sorted_group = group[order]
    starts = np.flatnonzero(np.diff(sorted_group, prepend=sorted_group[0] - 1))
    first = np.minimum.reduceat(ts_us[order], starts)
    last = np.maximum.reduceat(ts_us[order], starts)
    return list(zip(*(c.tolist() for c in (sorted_group[starts], first, last)), strict=True))
