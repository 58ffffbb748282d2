"""A route of the UI: people who are not signed in are sent to sign in, and errors are pages."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import structlog
from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute

from paybill_common.http.problems import Problem, from_exception, route_of
from reporting.api.web.context import SignInNeeded, error_page, redirect

log = structlog.get_logger()


class PageRoute(APIRoute):
    """Answers in HTML, whatever happens."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await inner(request)
            except SignInNeeded as error:
                return _to_sign_in(request, error)
            except Exception as error:
                instance = f"urn:uuid:{uuid4()}"
                problem = from_exception(error)
                if problem is None:
                    log.error("page.failed", route=route_of(request), instance=instance, exc_info=error)
                    problem = Problem(
                        500,
                        "internal_error",
                        "Something went wrong on our side.",
                        hint="Try again; if it stays, give the id below to whoever runs this instance.",
                    )
                return error_page(request, problem, instance)

        return handle


def _to_sign_in(request: Request, error: SignInNeeded) -> Response:
    if request.headers.get("hx-request") == "true":
        return Response(status_code=204, headers={"HX-Redirect": f"/sign-in?next={quote(request.url.path)}"})
    where = "/sign-in" if error.next_path == "/" else f"/sign-in?next={quote(error.next_path, safe='')}"
    answer: RedirectResponse = redirect(where)
    return answer
