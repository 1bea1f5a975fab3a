"""The doors for people: pages to look at."""

import base64
import hashlib
import re
from functools import lru_cache
from importlib.resources import files

from fastapi import APIRouter
from starlette.responses import HTMLResponse, RedirectResponse, Response

router = APIRouter(include_in_schema=False)
_BESIDE = re.compile(r'<script src="([a-z]+\.js)"></script>')


@router.get("/")
@router.get("/console")
async def to_console() -> Response:
    """The front page is the console."""
    return RedirectResponse("/console/", status_code=307)


@router.get("/console/")
async def console() -> Response:
    """A page that shows one learner's slate with its reasons; the key stays in the browser."""
    return _answered("index.html")


@router.get("/console/teacher")
async def teacher() -> Response:
    """A page for a class: what each learner gets next, rules with a preview, and what waits for the teacher."""
    return _answered("teacher.html")


def _answered(name: str) -> Response:
    page, policy = _page(name)
    headers = {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache"}
    return HTMLResponse(page, headers=headers)


@lru_cache(maxsize=2)
def _page(name: str) -> tuple[str, str]:
    """The page, and a policy under which only its own script runs and only this server is asked."""
    folder = files("serving.console")
    page = folder.joinpath(name).read_text("utf-8")
    # A script in a file of its own comes with the page: nothing else is to be fetched.
    page = _BESIDE.sub(lambda one: f"<script>\n{folder.joinpath(one[1]).read_text('utf-8')}</script>", page)
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    hashes = (base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts)
    allowed = " ".join(f"'sha256-{h}'" for h in hashes)
    rest = "style-src 'unsafe-inline'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'"
    return page, f"default-src 'none'; script-src {allowed}; {rest}; frame-ancestors 'none'"
