"""The page: pick a person, see what they did and what comes next and why, click, and see the next list change."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote

from segue.domain.decisions import Decision
from segue.domain.errors import RequestError
from segue.domain.events import person_key
from segue.serve.access import Access
from segue.serve.exchange import Request, Response, answer
from segue.serve.messages import Ask
from segue.serve.page_events import VIA
from segue.serve.people import GUEST, People, Person
from segue.serve.problems import Problem, Refusal, wire
from segue.serve.released import Released
from segue.serve.surfaces import SurfacesEndpoint
from segue.serve.views import Names, cards, happenings, policy_in_words
from segue.serve.weighing import Weighing

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
SHOWN = 12  # items of a list on the page
HTML = b"text/html; charset=utf-8"
SECURITY = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        b"base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


@dataclass(frozen=True)
class Wish:
    """What the page was asked to show."""

    person: Person | None
    surface: str


class Console:
    """The page and the few things that it loads. Only on loopback; see `segue.serve.session`."""

    def __init__(
        self, workspace: Path, weighing: Weighing, released: Released, surfaces: SurfacesEndpoint, access: Access
    ) -> None:
        self._people = People(workspace)
        self._weighing = weighing
        self._released = released
        self._surfaces = surfaces
        self._access = access
        self._files = {name: (TEMPLATES / name).read_bytes() for name in ("style.css", "script.js")}
        self._version = blake2b(b"".join(self._files.values()), digest_size=6).hexdigest()
        self._templates: Environment | None = None

    def routes(self) -> dict[str, Any]:
        """What the page loads, by path."""
        return {
            "/page/main": self.main,
            "/page/people": self.people,
            "/page/style.css": self.style,
            "/page/script.js": self.script,
        }

    async def page(self, request: Request) -> Response:
        """`GET /`: the whole page for one person (the one who did most, where none is named), and a session."""
        self._access.sessions.check_host(request.headers)
        query = _query(request)
        if "new" in query:
            return _redirected(f"/?visitor={GUEST}{secrets.token_hex(4)}")
        if "any" in query:
            return _redirected(await asyncio.to_thread(self._anybody))
        wish = await asyncio.to_thread(self._wish, query)
        body = self._rendered("page.html", wish)
        return Response(200, body, HTML, (*SECURITY, _FRESH, self._access.sessions.cookie()))

    async def main(self, request: Request) -> Response:
        """The part of the page that changes with a click."""
        self._access.need_or_page(request, "admin")
        wish = await asyncio.to_thread(self._wish, _query(request))
        return Response(200, self._rendered("main.html", wish), HTML, (*SECURITY, _FRESH))

    async def people(self, request: Request) -> Response:
        """Those whom the search finds."""
        self._access.need_or_page(request, "admin")
        text = _query(request).get("q", "")[:256]
        found = await asyncio.to_thread(self._people.find, text)
        return answer([{"kind": each.kind, "id": each.id, "name": each.name, "events": each.events} for each in found])

    async def style(self, request: Request) -> Response:
        """The style sheet."""
        return self._file(request, "style.css", b"text/css; charset=utf-8")

    async def script(self, request: Request) -> Response:
        """The script."""
        return self._file(request, "script.js", b"text/javascript; charset=utf-8")

    def _file(self, request: Request, name: str, media_type: bytes) -> Response:
        self._access.sessions.check_host(request.headers)
        return Response(
            200, self._files[name], media_type, ((b"cache-control", b"max-age=31536000, immutable"), *SECURITY)
        )

    def _wish(self, query: dict[str, str]) -> Wish:
        """Reads the lake the first time: not for the event loop."""
        surface = query.get("surface", "")[:256]
        for kind in ("user", "visitor"):
            if name := query.get(kind, "")[:256]:
                key = person_key(**{"user": None, "visitor": None, kind: name})
                return Wish(self._people.get(key), surface)
        found = self._people.find("")
        return Wish(found[0] if found else None, surface)

    def _anybody(self) -> str:
        self._people.find("")
        if not len(self._people):
            return "/"
        person = self._people.at(secrets.randbelow(len(self._people)))
        return f"/?{person.kind}={quote(person.id, safe='')}"

    def _rendered(self, template: str, wish: Wish) -> bytes:
        values = self._values(wish) if wish.person is not None else {"surface": "", "person": None}
        return self._environment().get_template(template).render(version=self._version, **values).encode()

    def _values(self, wish: Wish) -> dict[str, Any]:
        assert wish.person is not None
        release = self._released.current
        surfaces = sorted(release.surfaces) if release is not None else []
        surface = wish.surface or (surfaces[0] if surfaces else "")
        decision, problem = self._decided(wish.person, surface)
        past = self._weighing.by(release.events if release is not None else None).history(wish.person.key)
        names = Names(release.sources.catalog if release is not None else {})
        return {
            "person": wish.person,
            "did": len(past),
            "past": happenings(past, names),
            "surface": surface,
            "surfaces": surfaces,
            "decision": decision,
            "policy": policy_in_words(decision.policy) if decision is not None else "",
            "cards": cards(decision, names) if decision is not None else [],
            "problem": problem,
        }

    def _decided(self, person: Person, surface: str) -> tuple[Decision | None, Problem | None]:
        ask = Ask(
            user=person.id if person.kind == "user" else None,
            visitor=person.id if person.kind == "visitor" else None,
            context=dict([VIA]),
            k=SHOWN,
        )
        try:
            return self._surfaces.previewed(surface, ask), None
        except RequestError as refusal:
            return None, wire(refusal)

    def _environment(self) -> Environment:
        if self._templates is None:
            from jinja2 import Environment, FileSystemLoader

            self._templates = Environment(
                loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
            )
        return self._templates


_FRESH = (b"cache-control", b"no-store")


def _query(request: Request) -> dict[str, str]:
    """The first value of each name; an unreadable query is no query."""
    try:
        fields = parse_qs(request.query, keep_blank_values=True, max_num_fields=16, errors="strict")
    except (ValueError, UnicodeDecodeError) as error:
        raise Refusal("invalid_request", "the query of the address cannot be read", where="query") from error
    return {name: values[0] for name, values in fields.items()}


def _redirected(place: str) -> Response:
    return Response(303, b"", b"text/plain", ((b"location", place.encode()), _FRESH))
