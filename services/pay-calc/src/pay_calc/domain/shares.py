"""Sharing a rounded total out over its sources without losing a penny."""

from __future__ import annotations

from collections.abc import Sequence


def largest_remainder(total: int, weights: Sequence[int]) -> list[int]:
    """Whole parts of `total` in proportion to `weights`, which sum to exactly `total`.

    Each part is the exact share cut down; the pennies left go to the largest remainders, the earlier source first. With
    weights that sum to nought the first source takes all.
    """
    whole = sum(weights)
    if whole == 0:
        return [total] + [0] * (len(weights) - 1) if weights else []
    if whole < 0:
        return [-part for part in largest_remainder(-total, [-weight for weight in weights])]
    parts = [total * weight // whole for weight in weights]
    rest = total - sum(parts)
    if rest:
        order = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
        for i in order[:rest]:
            parts[i] += 1
    return parts
