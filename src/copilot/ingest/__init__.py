"""From senders' bytes to a `Batch`: pure computation, nothing in here does I/O or reads a clock.

`doors.decode` is the way in. Whatever a sender sends, one bad record never fails its batch: it is
set aside with its reason. Secrets are masked before anything leaves this package.
"""
