"""What an import needs of the services: three calls, and refusals that say which field of which line is wrong."""

from collections.abc import Sequence
from typing import Any, Protocol


class Refused(Exception):
    """A service said no. `errors` are (pointer, detail, code) of single fields."""

    status: int
    detail: str
    hint: str
    errors: Sequence[tuple[str, str, str]]


class Away(Exception):
    """A service does not answer: the import goes on when it does. The message says which, and why.

    `fault`: it answers, and says that it failed. That may be for ever, so it is not asked without end.
    """

    def __init__(self, why: str, *, fault: bool = False) -> None:
        super().__init__(why)
        self.fault = fault


class Services(Protocol):
    """The doors of the services, by name. Each call is tried again by whoever implements it, under the same key."""

    async def get(self, service: str, path: str) -> Any:
        """The JSON answer of a GET. Raises Refused."""

    async def post(self, service: str, path: str, body: Any = None, *, key: str | None = None) -> Any:
        """The JSON answer of a POST under an Idempotency-Key. Raises Refused."""

    async def put(self, service: str, path: str, body: Any, *, key: str | None = None) -> Any:
        """The JSON answer of a PUT under an Idempotency-Key. Raises Refused."""
