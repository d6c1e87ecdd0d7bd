"""Who may do what: an API key with a role, or the session of the page."""

from __future__ import annotations

from pathlib import Path

from segue.serve.auth import Keys, Role, secret
from segue.serve.exchange import Request
from segue.serve.problems import Refusal
from segue.serve.session import Sessions
from segue.serve.settings import ServeSettings


class Access:
    """Lets a request through, or raises the `Refusal` that says why not."""

    def __init__(self, workspace: Path, settings: ServeSettings) -> None:
        self._keys = Keys(workspace)
        self.sessions = Sessions(secret(workspace, "session"), settings)

    def need(self, request: Request, role: Role = "service") -> None:
        """A key of this role; an admin's opens everything."""
        if self._keys.role(request.headers) not in (role, "admin"):
            raise Refusal("wrong_role", f"this needs a key of the role `{role}`", mend=f"`segue key --role {role}`")

    def need_or_page(self, request: Request, role: Role = "service") -> bool:
        """A key of this role, or the page's session: then True, and the endpoint sees to it that it does no more."""
        headers = request.headers
        if b"authorization" not in headers and b"x-api-key" not in headers and self.sessions.holds(headers):
            return True
        self.need(request, role)
        return False
