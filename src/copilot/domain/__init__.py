"""The nouns and their rules. Everything in here is pure: no I/O, no clock, no technology.

Nouns are frozen dataclasses. Kubernetes objects and actions are msgspec structs, because they are
decoded from camel-case JSON and from tagged unions; both kinds travel as JSON through
`msgspec.json` unchanged. Times are epoch microseconds UTC and end in `_us`.
"""
