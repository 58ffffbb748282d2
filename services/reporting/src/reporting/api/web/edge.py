"""Signing in and out, system health, and the page for CRM developers."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import HTMLResponse

from paybill_common.auth import SCOPES
from paybill_common.http.problems import Problem
from reporting.api.forward import Away, Forward, Refused
from reporting.api.web import oidc
from reporting.api.web.context import (
    COOKIE,
    HEADERS,
    Visitor,
    check_csrf,
    database,
    forward_of,
    local_path,
    now,
    page,
    redirect,
    templates,
    visitor,
)
from reporting.api.web.route import PageRoute
from reporting.store import sessions
from reporting.usecases.clients import Clients, Grant

router = APIRouter(route_class=PageRoute, include_in_schema=False)
SIGN_IN_COOKIE = "paybill_sign_in"
"""Binds a sign-in at the issuer to the browser that started it: nobody can finish theirs in somebody else's."""
SIGN_IN_SECONDS = 600
LETTERS_SHOWN = 50
"""Dead letters of one service on the page; its export has more."""
Next = Annotated[str, Query(alias="next", max_length=2_000)]


def _clients(request: Request) -> Clients:
    found: Clients = request.app.state.clients
    return found


def _sign_in_page(request: Request, *, next_path: str, code: str = "", wrong: str = "", hint: str = "") -> Response:
    html = (
        templates()
        .get_template("sign_in.html")
        .render(next=next_path, code=code, wrong=wrong, hint=hint, oidc=_clients(request).oidc())
    )
    return HTMLResponse(html, status_code=401 if wrong else 200, headers=HEADERS)


@router.get("/sign-in")
async def sign_in_page(
    request: Request, next_path: Next = "/", code: Annotated[str, Query(max_length=200)] = ""
) -> Response:
    """Ask for the code, or take the one in the link that the demo printed."""
    if code:
        grant = _clients(request).person_by_code(code)
        if grant is not None:
            return await start_session(request, grant, local_path(next_path))
        return _sign_in_page(
            request,
            next_path=local_path(next_path),
            wrong="This sign-in link is not valid any more.",
            hint="Links end when the demo stops. Start it again and use the link that it prints.",
        )
    return _sign_in_page(request, next_path=local_path(next_path))


@router.post("/sign-in")
async def sign_in(
    request: Request,
    code: Annotated[str, Form(max_length=200)] = "",
    next_path: Annotated[str, Form(alias="next", max_length=2_000)] = "/",
) -> Response:
    grant = _clients(request).person_by_code(code)
    if grant is None:
        return _sign_in_page(
            request,
            next_path=local_path(next_path),
            wrong="This sign-in code is wrong.",
            hint="Copy the whole code from the link; it ends when the demo stops.",
        )
    return await start_session(request, grant, local_path(next_path))


async def start_session(request: Request, grant: Grant, next_path: str) -> Response:
    """Sign a person in: a random token in an HttpOnly cookie, its digest in the database."""
    async with database(request).transaction(now=now(request), agencies=[]) as tx:
        token = await sessions.open_session(tx, subject=grant.subject, name=grant.name)
    answer = redirect(next_path)
    answer.set_cookie(
        COOKIE,
        token,
        max_age=sessions.SESSION_HOURS * 3600,
        httponly=True,
        samesite="lax",
        secure=_by_https(request),
        path="/",
    )
    return answer


@router.post("/sign-out")
async def sign_out(request: Request, csrf: Annotated[str, Form(max_length=200)] = "") -> Response:
    who = await visitor(request)
    check_csrf(who, csrf)
    async with database(request).transaction(now=now(request), agencies=[]) as tx:
        await sessions.close_session(tx, request.cookies.get(COOKIE, ""))
    answer = redirect("/sign-in")
    answer.delete_cookie(COOKIE, path="/")
    return answer


@router.get("/sign-in/oidc")
async def oidc_start(request: Request, next_path: Next = "/") -> Response:
    """To the issuer, with PKCE, state and nonce."""
    client = _clients(request).oidc()
    if client is None:
        raise Problem(404, "no_oidc", "No OpenID Connect issuer is configured here.", hint="Use your sign-in code.")
    back = local_path(next_path)
    try:
        where, state, sign_in_state = await oidc.begin(client, callback=_callback(request), next_path=back)
    except oidc.NotSignedIn as failure:
        return _sign_in_page(request, next_path=back, wrong=str(failure), hint="Try again in a moment.")
    async with database(request).transaction(now=now(request), agencies=[]) as tx:
        await sessions.start_sign_in(tx, state=state, sign_in=sign_in_state)
    answer = redirect(where)
    answer.set_cookie(
        SIGN_IN_COOKIE,
        state,
        max_age=SIGN_IN_SECONDS,
        httponly=True,
        samesite="lax",
        secure=_by_https(request),
        path="/sign-in/oidc",
    )
    return answer


@router.get("/sign-in/oidc/back")
async def oidc_back(
    request: Request,
    state: Annotated[str, Query(max_length=200)] = "",
    code: Annotated[str, Query(max_length=4_000)] = "",
    error: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """From the issuer, to the browser that started: check who it is, and start a session if the clients file knows that person."""
    client = _clients(request).oidc()
    started_here = hmac.compare_digest(request.cookies.get(SIGN_IN_COOKIE, "").encode(), state.encode())
    async with database(request).transaction(now=now(request), agencies=[]) as tx:
        known = await sessions.take_sign_in(tx, state) if started_here else None
    if client is None or known is None or error or not code:
        return _sign_in_page(
            request, next_path="/", wrong="The sign-in did not finish.", hint="Start it again; it is valid ten minutes."
        )
    try:
        subjects = await oidc.finish(client, known, code=code, callback=_callback(request))
    except oidc.NotSignedIn as failure:
        return _sign_in_page(request, next_path=known.next_path, wrong=str(failure), hint="Start it again.")
    grant = _clients(request).person(subjects)
    if grant is None:
        return _sign_in_page(
            request,
            next_path=known.next_path,
            wrong="Your account is not known to this instance.",
            hint="Ask whoever runs it to add you to the clients file.",
        )
    return await start_session(request, grant, known.next_path)


def _by_https(request: Request) -> bool:
    return str(request.app.state.settings.public_url or request.url).startswith("https:")


def _callback(request: Request) -> str:
    base = request.app.state.settings.public_url or str(request.base_url)
    return f"{str(base).rstrip('/')}/sign-in/oidc/back"


@router.get("/system")
async def system_page(request: Request) -> Response:
    """Every service's lag and consumer, and dead letters with what a replay or discard will do."""
    who = await visitor(request)
    forward = forward_of(request)
    services = await forward.system(who.principal)
    letters = [
        {**letter, "payload_pretty": pretty(letter.get("payload"))}
        for letter in await open_letters(forward, who, services, most=LETTERS_SHOWN)
    ]
    return await page(
        request,
        who,
        "system.html",
        services=services,
        letters=letters,
        replays=await replays_of(forward, who),
        runs_instance=who.principal.every_agency,
    )


async def open_letters(
    forward: Forward, who: Visitor, services: Sequence[Mapping[str, Any]], *, most: int
) -> list[dict[str, Any]]:
    """The oldest open dead letters of each service, as far as it tells this person."""
    letters: list[dict[str, Any]] = []
    for service in [state["service"] for state in services if state.get("dead_letters_open")]:
        params = {"limit": str(most)}
        try:
            answer = await forward.send(service, "GET", "/v1/ops/dead-letters", principal=who.principal, params=params)
        except (Away, Refused):
            continue
        found = answer.json()
        letters += [{**letter, "service": service} for letter in (found if isinstance(found, list) else [])]
    return letters


async def replays_of(forward: Forward, who: Visitor) -> Mapping[str, Any] | None:
    """What the nightly replay of closed pay runs found, as far as pay-calc tells this person."""
    try:
        found = (await forward.send("pay-calc", "GET", "/v1/ops/replays", principal=who.principal)).json()
    except (Away, Refused):
        return None
    return found if isinstance(found, Mapping) else None


def pretty(payload: str | None) -> str:
    """A message as it can be read: indented JSON, or the text as it came."""
    if payload is None:
        return "(erased, or a tombstone)"
    try:
        return json.dumps(json.loads(payload), indent=2, ensure_ascii=False)[:20_000]
    except ValueError:
        return payload[:20_000]


@router.get("/developers")
async def developers_page(request: Request) -> Response:
    """Copyable commands that work against this instance."""
    who = await visitor(request)
    urls: dict[str, str] = request.app.state.settings.service_urls
    own = str(request.app.state.settings.public_url or request.base_url).rstrip("/")
    chosen = request.query_params.get("agency", "")
    mine = [agency.agency_id for agency in who.agencies]
    example = next((known for known in mine if str(known) == chosen), mine[0] if mine else UUID(int=0))
    timesheet = urls.get("timesheet", "http://localhost:8001").rstrip("/")
    return await page(
        request,
        who,
        "developers.html",
        services=sorted({**urls, "reporting": own}.items()),
        scopes=list(SCOPES.items()),
        commands=_commands(own, timesheet, str(example)),
    )


def _commands(own: str, timesheet: str, agency: str) -> dict[str, str]:
    """Shell that a developer pastes in order; short lines, so that none is cut or wrapped on a laptop."""
    day = '{"worked_on": "2026-04-0%d", "start": "08:00", "finish": "16:30"}'
    entries = ",\n    ".join(day % number for number in (1, 2))
    return {
        "token": (
            "SECRET=...   # of your client; the demo prints where its own is\n"
            f"TOKEN=$(curl -s {own}/oauth/token \\\n"
            "  -d grant_type=client_credentials \\\n"
            "  -d client_id=paybill-cli -d client_secret=$SECRET \\\n"
            "  | python3 -c 'import json, sys\n"
            'print(json.load(sys.stdin)["access_token"])\')'
        ),
        "agency": (
            f"AGENCY={agency}\n"
            f"READ={own}/v1/agencies/$AGENCY\n"
            f"ROOT={timesheet}/v1/agencies/$AGENCY\n"
            "new() { python3 -c 'import uuid; print(uuid.uuid4())'; }\n"
            "call() {   # call METHOD URL [JSON]\n"
            '  curl -s -X "$1" "$2" -H "Authorization: Bearer $TOKEN" \\\n'
            '    -H "Content-Type: application/json" \\\n'
            '    -H "Idempotency-Key: $(new)" ${3:+-d "$3"}; echo\n'
            "}\n"
            'call GET "$READ/weeks"'
        ),
        "records": (
            "CLIENT=$(new); WORKER=$(new); PLACEMENT=$(new); CARD=$(new)\n"
            'call PUT "$ROOT/clients/$CLIENT" \\\n  \'{"name": "Client 900 Example Ltd", "reference": "C-900"}\'\n'
            'call PUT "$ROOT/workers/$WORKER" \\\n  \'{"name": "Worker 90000 Testcase", "reference": "W-90000"}\'\n'
            'call PUT "$ROOT/placements/$PLACEMENT" \\\n'
            '  "{\\"worker_id\\": \\"$WORKER\\", \\"client_id\\": \\"$CLIENT\\",\n'
            '    \\"name\\": \\"Picker\\", \\"starts_on\\": \\"2026-03-30\\"}"\n'
            'call PUT "$ROOT/rate-cards/$CARD/versions" \\\n'
            '  "{\\"name\\": \\"Picker\\", \\"client_id\\": \\"$CLIENT\\",\n'
            '    \\"effective_from\\": \\"2026-03-30\\",\n'
            '    \\"rates\\": [{\\"code\\": \\"standard\\",\n'
            '      \\"pay_rate\\": \\"12.7100\\", \\"charge_rate\\": \\"18.5000\\"}]}"'
        ),
        "hours": (
            'call POST "$ROOT/weeks/2026-04-05/open"\n'
            'TIMESHEET=$(call GET "$ROOT/timesheets?worker_id=$WORKER" \\\n'
            "  | python3 -c 'import json, sys\n"
            'print(json.load(sys.stdin)["items"][0]["timesheet_id"])\')\n'
            'SHEET="$ROOT/timesheets/$TIMESHEET"\n'
            f'call PUT "$SHEET/entries" \\\n  \'{{"entries": [\n    {entries}]}}\'\n'
            'call POST "$SHEET/submit"\n'
            'call POST "$SHEET/approve" \\\n'
            '  \'{"evidence": {"kind": "agency", "note": "Signed sheet on file"}}\''
        ),
        "look": ('call GET "$READ/timesheets/$TIMESHEET"\ncall GET "$READ/weeks/2026-04-05"'),
        "problem": json.dumps(
            {
                "type": "…/problems/not_a_week_ending",
                "title": "Not a week ending",
                "status": 422,
                "code": "not_a_week_ending",
                "detail": "A week ends on a Sunday; 2026-04-06 is a Monday.",
                "instance": "urn:uuid:0b6e6e00-…",
                "errors": [{"pointer": "path:/week_ending", "detail": "…", "code": "not_a_week_ending"}],
            },
            indent=2,
            ensure_ascii=False,
        ),
    }
