"""The doors for people: one page to look at."""

import base64
import hashlib
import re
from functools import lru_cache
from importlib.resources import files

from fastapi import APIRouter
from starlette.responses import HTMLResponse, RedirectResponse, Response

router = APIRouter(include_in_schema=False)


@router.get("/")
async def to_console() -> Response:
    """The front page is the console."""
    return RedirectResponse("/console/", status_code=307)


@router.get("/console/")
async def console() -> Response:
    """A page that shows one learner's slate with its reasons; the key stays in the browser."""
    page, policy = _page()
    headers = {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache"}
    return HTMLResponse(page, headers=headers)


@lru_cache(maxsize=1)
def _page() -> tuple[str, str]:
    """The page, and a policy under which only its own script runs and only this server is asked."""
    page = files("serving.console").joinpath("index.html").read_text("utf-8")
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    hashes = (base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts)
    allowed = " ".join(f"'sha256-{h}'" for h in hashes)
    rest = "style-src 'unsafe-inline'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'"
    return page, f"default-src 'none'; script-src {allowed}; {rest}; frame-ancestors 'none'"
