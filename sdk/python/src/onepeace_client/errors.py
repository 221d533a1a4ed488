"""What can go wrong with a request, typed: branch on `code`."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import List, Optional

import httpx

from .contract import Finding, Problem, ProblemCode

EXCERPT_CHARS = 200


class OnepeaceError(Exception):
    """The service, or something before it, refused a request."""

    status: int
    """HTTP status of the answer."""
    request_id: Optional[str]
    """To quote when reporting a fault; None if the answer bore none."""
    retry_after: Optional[float]
    """Seconds, as `Retry-After` said."""

    def __init__(self, message: str, response: httpx.Response) -> None:
        super().__init__(message)
        self.status = response.status_code
        self.request_id = response.headers.get("x-request-id")
        self.retry_after = _retry_after(response)


class ProblemError(OnepeaceError):
    """An RFC 9457 problem of the service; its text is the `detail`. The codes are listed in docs/errors.md."""

    problem: Problem

    def __init__(self, problem: Problem, response: httpx.Response) -> None:
        super().__init__(problem["detail"], response)
        self.problem = problem

    @property
    def code(self) -> ProblemCode:
        return self.problem["code"]

    @property
    def index(self) -> Optional[int]:
        """Which of several inputs failed."""
        return self.problem.get("index")

    @property
    def errors(self) -> List[Finding]:
        """Every finding of a validation; empty for other problems."""
        return self.problem.get("errors", [])


def error_of(response: httpx.Response) -> OnepeaceError:
    """The error that an answer is; its body must have been read."""
    try:
        body = json.loads(response.content)
    except ValueError:
        body = None
    if isinstance(body, dict) and "code" in body and "detail" in body:
        return ProblemError(body, response)  # type: ignore[arg-type]
    said = response.text[:EXCERPT_CHARS]
    message = f"HTTP {response.status_code}, and no problem of onepeace: is {response.url} the service? It said: {said}"
    return OnepeaceError(message, response)


def _retry_after(response: httpx.Response) -> Optional[float]:
    """Seconds or a date (RFC 9110 §10.2.3), as seconds from now."""
    text = response.headers.get("retry-after", "")
    if text.isdigit():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return max(0.0, (date - datetime.now(timezone.utc)).total_seconds())
