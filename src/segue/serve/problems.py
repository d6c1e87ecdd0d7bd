"""Every refusal of the service: its code, its HTTP status, and what it looks like on the wire (RFC 9457)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from segue.domain.errors import RequestError

MEDIA_TYPE = b"application/problem+json"


@dataclass(frozen=True)
class Kind:
    """One kind of refusal; `meaning` is what the documentation and `/openapi.json` say of it."""

    status: int
    title: str
    meaning: str


KINDS = {
    "bad_json": Kind(400, "The body is not JSON", "The body is empty or cannot be parsed as JSON (RFC 8259)."),
    "bad_utf8": Kind(400, "The body is not UTF-8", "JSON is UTF-8 without a byte order mark."),
    "too_deep": Kind(400, "The body is nested too deeply", "`context` may hold values at most 8 levels deep."),
    "bad_header": Kind(400, "A header cannot be read", "`Content-Length` is no number."),
    "broken_body": Kind(400, "The body broke off", "Malformed chunks, or a connection that ended within the body."),
    "no_key": Kind(401, "An API key is needed", "Send `Authorization: Bearer KEY` or `X-API-Key: KEY`."),
    "wrong_key": Kind(401, "The API key is not known", "No such key in this workspace, or the page's session is over."),
    "wrong_role": Kind(403, "The key's role may not do this", "The page and what it reads need the role `admin`."),
    "cross_origin": Kind(403, "Another site may not do this", "A page's session is good for its own origin only."),
    "page_closed": Kind(403, "The page is for this machine only", "Not loopback, or a proxy, or `serve.page` is off."),
    "beyond_page": Kind(403, "The page's session is not for this", "It is good for what the page shows and sends."),
    "unknown_path": Kind(404, "Nothing is at this path", "`/openapi.json` lists what there is."),
    "unknown_surface": Kind(404, "No such surface", "The current release has no surface of this name."),
    "unknown_decision": Kind(404, "No such decision", "No decision of this id was made here."),
    "wrong_method": Kind(405, "The method is not for this path", "`Allow` says which are."),
    "too_slow": Kind(408, "The body did not arrive in time", "A body has to arrive without pauses of 20 s."),
    "request_id_reused": Kind(409, "The request id is another request's", "It names one person, history and `k`."),
    "too_large": Kind(
        413,
        "The body is too large",
        "Larger than `serve.max_body_bytes`, over `serve.max_events`, or 512 KiB for one event or one list.",
    ),
    "wrong_type": Kind(415, "The body is not said to be JSON", "Send `Content-Type: application/json`, uncompressed."),
    "wrong_host": Kind(421, "The page does not answer to this name", "Open it as 127.0.0.1, [::1] or localhost."),
    "invalid_event": Kind(422, "An event cannot be taken", "`errors` names each event and field. Nothing was kept."),
    "invalid_request": Kind(422, "The request cannot be taken", "`errors` names each field."),
    "internal": Kind(500, "The service failed", "A fault of Segue; its log has the details. Nothing was acknowledged."),
    "no_release": Kind(503, "Nothing is released yet", "`segue release` puts models and surfaces into service."),
    "keys_unavailable": Kind(503, "Keys cannot be read now", "`segue.db` cannot be read, and no key was known before."),
    "journal_unavailable": Kind(503, "Events cannot be kept now", "The journal cannot be written; send them again."),
}


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that is wrong: `field` is a path such as `user` or `context.a`, `index` the place in the array."""

    problem: str
    field: str = ""
    index: int | None = None


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """A refusal on the wire: RFC 9457, and beside it the `code` of the kind, the way out, and the faults."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    mend: str = ""
    errors: Sequence[Fault] = ()


class Refusal(RequestError):
    """A request that cannot be honoured. Raised by handlers, answered as a problem."""

    def __init__(
        self,
        code: str,
        problem: str,
        *,
        where: str = "",
        mend: str = "",
        errors: Sequence[Fault] = (),
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        self.errors = tuple(errors)
        self.headers = tuple(headers)
        super().__init__(KINDS[code].status, code, problem, where=where, mend=mend)


def wire(refusal: RequestError) -> Problem:
    """The refusal as it goes over the wire."""
    kind = KINDS[refusal.code]
    detail = f"{refusal.where}: {refusal.problem}" if refusal.where else refusal.problem
    errors = refusal.errors if isinstance(refusal, Refusal) else ()
    return Problem(
        type=f"urn:segue:problem:{refusal.code}",
        title=kind.title,
        status=refusal.status,
        detail=detail,
        code=refusal.code,
        mend=refusal.mend,
        errors=errors,
    )
