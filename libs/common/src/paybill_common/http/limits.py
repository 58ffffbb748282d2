"""Request bodies have a limit, whether or not their length is announced."""

from __future__ import annotations

import re

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paybill_common.http import problems
from paybill_common.http.problems import Problem, problem_response


class _TooLarge(HTTPException):
    """Raised out of `receive`, wherever the app reads; frameworks pass an HTTP error on as it is."""


class BodyLimit:
    """Refuses a body larger than `bytes_max` with 413 before it is held in memory; on paths that take files, `uploads`, the
    limit is `upload_bytes_max`."""

    def __init__(self, app: ASGIApp, *, bytes_max: int, uploads: str = "", upload_bytes_max: int = 0) -> None:
        self._app = app
        self._bytes_max = bytes_max
        self._uploads = re.compile(uploads) if uploads else None
        self._upload_bytes_max = upload_bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        upload = self._uploads is not None and scope["method"] == "POST" and bool(self._uploads.match(scope["path"]))
        bytes_max = self._upload_bytes_max if upload else self._bytes_max
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        too_large = announced.isdigit() and int(announced) > bytes_max
        if too_large and not upload:
            await self._refuse(scope, receive, send, bytes_max)
            return
        seen = (
            bytes_max + 1 if too_large else 0
        )  # the page of an upload tells its person itself, before it reads any of it
        started = False

        async def limited() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > bytes_max:
                raise _TooLarge(413, _file_detail(bytes_max) if upload else _detail(bytes_max))
            return message

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, limited, watched)
        except _TooLarge:
            if not started:
                await self._refuse(scope, receive, send, bytes_max)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, bytes_max: int) -> None:
        problem = Problem(
            413,
            "body_too_large",
            _detail(bytes_max),
            hint=problems.TOO_LARGE_HINT,
        )
        await problem_response(problem)(scope, receive, send)


def _file_detail(bytes_max: int) -> str:
    return f"The file is larger than {bytes_max // 1_000_000} MB; nothing of it was read."


def _detail(bytes_max: int) -> str:
    return f"The body is larger than {bytes_max} bytes."
