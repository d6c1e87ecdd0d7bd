"""What the service offers, as OpenAPI 3.1: schemas from the very types that parse and answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from segue.domain.decisions import Decision
from segue.domain.events import Event
from segue.serve.messages import Ask, Events, EventsTaken, Health, Listed
from segue.serve.problems import KINDS, Problem
from segue.serve.settings import ServeSettings

_TYPES = (Event, Events, EventsTaken, Ask, Listed, Decision, Health, Problem)
_AUTHORISED = ("no_key", "wrong_key", "wrong_role", "keys_unavailable")
_PAGE = ("cross_origin", "wrong_host", "page_closed", "beyond_page")
_BODY = ("bad_json", "bad_utf8", "too_deep", "bad_header", "broken_body", "too_slow", "too_large", "wrong_type")
_UNREADY = ("no_release", "journal_unavailable")
_ANY = ("wrong_method", "internal")


@dataclass(frozen=True)
class Operation:
    """One method of one path; `refusals` are the codes of the problems that it answers with."""

    path: str
    method: str
    summary: str
    answer: type | None
    refusals: tuple[str, ...]
    body: dict[str, Any] | None = None
    name: str = ""
    keyless: bool = False


def document(settings: ServeSettings) -> dict[str, Any]:
    """The whole description, ready for `/openapi.json`."""
    _, schemas = msgspec.json.schema_components(_TYPES, ref_template="#/components/schemas/{name}")
    paths: dict[str, Any] = {}
    for operation in _operations():
        paths.setdefault(operation.path, {})[operation.method] = _described(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Segue",
            "version": "1",
            "description": "Events in, decisions out. Every refusal is a problem (RFC 9457) with a `code`. "
            f"A body has at most {settings.max_body_bytes:,} bytes, a request at most {settings.max_events:,} events.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def _operations() -> Sequence[Operation]:
    several = {"type": "array", "items": _ref(Event)}
    return (
        Operation(
            path="/v1/events",
            method="post",
            summary="Send what people did: one event or many, all taken or none; answered when they are on disk",
            answer=EventsTaken,
            refusals=(*_AUTHORISED, *_PAGE, *_BODY, "invalid_event", "journal_unavailable", *_ANY),
            body={"oneOf": [_ref(Event), several, _ref(Events)]},
        ),
        Operation(
            path="/v1/surfaces/{name}",
            method="post",
            summary="Ask what to show on a surface",
            answer=Listed,
            refusals=(
                *_AUTHORISED,
                *_BODY,
                "invalid_request",
                "unknown_surface",
                "request_id_reused",
                "no_release",
                "journal_unavailable",
                *_ANY,
            ),
            body=_ref(Ask),
            name="name",
        ),
        Operation(
            path="/v1/decisions/{id}",
            method="get",
            summary="Read a decision: its candidates, what was dropped by which rule, its propensities",
            answer=Decision,
            refusals=(*_AUTHORISED, *_PAGE, "unknown_decision", "journal_unavailable", *_ANY),
            name="id",
        ),
        Operation("/livez", "get", "Does the process answer", Health, _ANY, keyless=True),
        Operation("/readyz", "get", "Can it decide", Health, (*_UNREADY, *_ANY), keyless=True),
        Operation("/metrics", "get", "Counters of all workers, in Prometheus' text format", None, _ANY, keyless=True),
        Operation("/openapi.json", "get", "This document", None, _ANY, keyless=True),
    )


def _described(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": f"{operation.method}_{operation.path.strip('/').replace('/', '_').replace('{', '').rstrip('}')}",
        "summary": operation.summary,
        "responses": {"200": _answered(operation.answer), **_refused(operation.refusals)},
        "security": [] if operation.keyless else [{"bearer": []}, {"key": []}],
    }
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": operation.body}}}
    if operation.name:
        described["parameters"] = [
            {"name": operation.name, "in": "path", "required": True, "schema": {"type": "string"}}
        ]
    return described


def _answered(kind: type | None) -> dict[str, Any]:
    if kind is None:
        return {"description": "It is here."}
    return {"description": _first_line(kind), "content": {"application/json": {"schema": _ref(kind)}}}


def _refused(codes: Sequence[str]) -> dict[str, Any]:
    """One response a status; its description lists the codes that it can have."""
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(KINDS[code].status, []).append(code)
    return {
        str(status): {
            "description": "\n".join(f"`{code}`: {KINDS[code].title}. {KINDS[code].meaning}" for code in names),
            "content": {"application/problem+json": {"schema": _ref(Problem)}},
        }
        for status, names in sorted(by_status.items())
    }


def _ref(kind: type) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def _first_line(kind: type) -> str:
    return (kind.__doc__ or "").strip().split("\n")[0]
