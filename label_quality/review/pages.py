"""The shells of the pages: what the server renders before any data is there. What fills them is in ``static/``."""

from __future__ import annotations

import getpass
import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jinja2
from fastapi import APIRouter, Request
from starlette.responses import FileResponse, HTMLResponse, Response

from label_quality import __version__
from label_quality.review.answers import Database
from label_quality.review.filters import Filters
from label_quality.review.security import is_loopback
from label_quality.store import StoreError

router = APIRouter()

STATIC = Path(__file__).with_name("static")
# In the order of the navigation.
PAGES = {
    "queue": "Queue",
    "summary": "Summary",
    "explorer": "Explorer",
    "performance": "Performance",
    "export": "Export",
}
# What ``queue.js`` imports, so that the browser need not find out file by file.
_QUEUE_MODULES = [
    f"{name}.js"
    for name in (
        *("shell", "list", "decisions", "stage", "panel", "filters", "cards", "progress", "keys"),
        *("drafts", "shapes", "scenes", "questions", "chooser", "crop", "editor"),
    )
]
_FOR_LONG = {"cache-control": "public, max-age=31536000, immutable"}


@cache
def _environment() -> jinja2.Environment:
    """Everything that is put into a page is escaped."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("label_quality.review"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(request: Request, page: str, **values: Any) -> HTMLResponse:
    """The shell of `page` (a name in `PAGES`), from ``templates/<page>.html``."""
    environment = _environment()
    there = environment.list_templates()
    html = environment.get_template(f"{page}.html").render(
        page=page,
        pages=[(name, title) for name, title in PAGES.items() if f"{name}.html" in there],
        path_of=path_of,
        static=f"/static/{version()}",
        version=__version__,
        author=_who(request),
        **values,
    )
    return HTMLResponse(html)


def path_of(page: str) -> str:
    """Where a page stands."""
    return "/" if page == "queue" else f"/{page}"


@cache
def version() -> str:
    """Changes when any file of ``static/`` does, so that browsers may keep the files for ever."""
    digest = hashlib.sha256()
    for file in sorted(STATIC.iterdir()):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _who(request: Request) -> str:
    """The name to begin with: the user of this machine, where nobody else can be asking."""
    if not (request.client and is_loopback(request.client.host)) or request.app.state.token:
        return ""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


@router.get("/")
def queue(request: Request, db: Database) -> Response:
    """The queue, the home page. It begins with findings above the cut of the calibration, where there is one."""
    try:
        latest = db.store.calibrations.latest()
    except StoreError:
        latest = None
    cut = latest.default_cut if latest else Filters.model_fields["p_min"].default
    return render(request, "queue", modules=_QUEUE_MODULES, cut=cut)


@router.get("/static/{version}/plotly.min.js")
def plotly_script(version: str) -> Response:
    """plotly.js as its Python package ships it."""
    package = find_spec("plotly")  # finding it is enough: importing it takes its time
    assert package and package.origin
    file = Path(package.origin).parent / "package_data" / "plotly.min.js"
    return FileResponse(file, media_type="text/javascript", headers=_FOR_LONG)


@router.get("/static/{version}/{name}")
def static(version: str, name: str) -> Response:
    """A file of ``static/``; only the names that are there."""
    known = {f.name: f for f in STATIC.iterdir()}
    if name not in known:
        return Response("there is no such file", 404, media_type="text/plain")
    return FileResponse(known[name], media_type=_TYPES[known[name].suffix], headers=_FOR_LONG)


_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
