"""Entity tags: a resource's revision in quotes. ``If-Match`` guards a write, ``If-None-Match`` spares a read."""

from __future__ import annotations

from flask import Flask, Response, request

from provisioner.errors import StaleWrite


def tagged(revision: int) -> dict[str, str]:
    """Returns the header that names a revision."""
    return {"ETag": f'"{revision}"'}


def expected_revision(current: int) -> int | None:
    """Returns the revision that the write is meant for, or None where the writer does not say.

    Raises ``StaleWrite`` where ``If-Match`` names others. The change checks it again inside its transaction.
    """
    condition = request.if_match
    if "If-Match" not in request.headers or condition.star_tag:
        return None
    if condition.contains(str(current)):
        return current
    raise StaleWrite("somebody else changed this since you read it: read it again, then repeat your change")


def register(app: Flask) -> None:
    """Answers 304 where the reader has the revision already."""

    @app.after_request
    def _not_modified(response: Response) -> Response:
        if request.method in {"GET", "HEAD"} and response.status_code == 200 and "ETag" in response.headers:
            response.make_conditional(request)
        return response
