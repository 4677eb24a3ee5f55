"""The fault suite: seeded faults on an embedded stack of its own, and a checker of the books.

`python -m chaos` runs it (`make chaos`). Not here: single faults with exact expectations, which the
workflow tests have.
"""
