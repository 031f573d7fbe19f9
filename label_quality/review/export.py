"""The export page: what was decided so far, and every format of ``exports`` as a download. What a format holds is its own matter."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

import msgspec
from fastapi import APIRouter, Request
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, Response

from label_quality.coco import UnreadableFile
from label_quality.exports import found, open_source
from label_quality.review.answers import Database, Refused, answer, body_of, said
from label_quality.review.database import Published
from label_quality.review.pages import render
from label_quality.store import StoreError

router = APIRouter()


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to export: of which batches (none: all), whose decisions (None: everybody's), and what goes to annotators."""

    batches: list[str] = []
    author: str | None = None
    select: Literal["relabel", "queue"] = "relabel"
    limit: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 500
    image_url: str = ""


@router.get("/export")
def page(request: Request) -> Response:
    """The page."""
    return render(request, "export")


@router.get("/api/export")
def overview(db: Database) -> Response:
    """The formats there are, and how much there is to export: verdicts by batch and author."""
    with db.view() as view:
        decided = view.rows(
            """select batch, author, verdict, count(*) as n, count(*) filter (superseded) as superseded,
                      count(*) filter (applied) as applied, count(*) filter (disagreement) as disagreement
               from live.verdicts group by all order by batch, author, verdict"""
        )
        batches = [r["batch"] for r in view.rows("select batch from batches order by batch")]
        tags = view.rows("select count(*) as n from live.tags")[0]["n"]
    formats = [{"name": e.name, "description": e.description} for e in found().exporters.values()]
    return answer(
        {
            "formats": formats,
            "problems": list(found().problems),
            "decided": decided,
            "batches": batches,
            "tags": tags,
        }
    )


@router.post("/api/export/{form}")
async def export(form: str, request: Request, db: Database) -> Response:
    """The files of a format in one zip file; what the exporter says of them is in the header ``x-says``."""
    wanted = await body_of(request, Wanted)
    return await run_in_threadpool(_export, form, wanted, db)


def _export(form: str, wanted: Wanted, db: Published) -> Response:
    exporter = found().exporters.get(form)
    if exporter is None:
        raise Refused("there is no such format", 404)
    scratch = Path(tempfile.mkdtemp(prefix="label_quality_export_"))
    try:
        folder = scratch / form
        folder.mkdir()
        options: dict[str, Any] = msgspec.structs.asdict(wanted)
        batches = options.pop("batches")
        with open_source(db.store, batches, **options) as source:
            says = exporter.write(source, folder).says
        packed = _packed(folder, scratch / f"{form}.zip")
    except (StoreError, UnreadableFile) as error:
        shutil.rmtree(scratch, ignore_errors=True)
        raise Refused(said(error, db.store.root), 409) from None
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    # A header holds ASCII, and no more than a few kilobytes of it.
    heading = quote(msgspec.json.encode([line[:200] for line in says[:20]]).decode())
    return FileResponse(
        packed,
        media_type="application/zip",
        filename=packed.name,
        headers={"x-says": heading, "cache-control": "no-store"},
        background=BackgroundTask(shutil.rmtree, scratch, ignore_errors=True),
    )


def _packed(folder: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder.parent))
    return target
