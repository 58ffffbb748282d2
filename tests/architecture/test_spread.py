"""Tests that run beside each other in several processes: what shares costly fixtures stays in one of them."""

from __future__ import annotations

import pytest


def test_the_tests_of_a_file_run_in_one_process(request: pytest.FixtureRequest) -> None:
    """pytest-xdist reads a test's group from the end of its id; under a pytest that keeps ids to itself it groups nothing, silently."""
    grouped = request.node.nodeid.endswith(f"@{request.node.path}")
    assert grouped is bool(getattr(request.config.option, "loadgroup", False))
