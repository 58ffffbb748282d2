"""Sharing an amount among parts so that the parts add up to it, to the penny."""

from __future__ import annotations

from collections.abc import Sequence


def allocate(total_pence: int, weights: Sequence[int]) -> list[int]:
    """Split pence in proportion to non-negative weights; what whole pence leave over goes to the largest remainders.

    With no weight at all everything goes to the first part. An empty sequence gives an empty list.
    """
    if not weights:
        return []
    sized = [max(weight, 0) for weight in weights]
    whole = sum(sized)
    if whole == 0:
        return [total_pence, *([0] * (len(weights) - 1))]
    sign = -1 if total_pence < 0 else 1
    exact = [abs(total_pence) * weight for weight in sized]
    shares = [part // whole for part in exact]
    left = abs(total_pence) - sum(shares)
    for index in sorted(range(len(exact)), key=lambda i: (-(exact[i] % whole), i))[:left]:
        shares[index] += 1
    return [sign * share for share in shares]
