"""Ids that nobody else gives: seeded by the operating system, in each process anew."""

import os
from random import Random

# Asked for each id, the operating system would be waited for twice in every answer, and other threads let in between.
_random = Random()  # noqa: S311 - names, no secrets
os.register_at_fork(after_in_child=_random.seed)


def fresh_id(n_bytes: int) -> str:
    """An id of so many random bytes, in hexadecimal digits; no secret may be made of it."""
    return _random.randbytes(n_bytes).hex()
