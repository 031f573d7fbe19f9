"""Assembles the application: routers, what guards them, and what is said when something is wrong. Decides nothing else."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.responses import Response

from label_quality.review import (
    explorer,
    export,
    images,
    pages,
    performance,
    queue,
    scenes,
    summary,
    tags,
    verdicts,
)
from label_quality.review.answers import Refused, answer, published, said
from label_quality.review.database import Published
from label_quality.review.security import Guard
from label_quality.settings import Settings
from label_quality.store import StoreError


def create_app(settings: Settings, token: str | None = None) -> FastAPI:
    """The application on the root of `settings`. With a `token`, whoever shows it is served; without, this machine."""
    behind = Published(settings)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        warming = asyncio.create_task(asyncio.to_thread(_warm, behind))
        yield
        await warming
        behind.close()

    # No pages of FastAPI's own: they load scripts from elsewhere.
    app = FastAPI(
        title="label_quality", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None
    )
    app.state.published = behind
    app.state.token = token
    app.add_middleware(Guard, token=token)
    rooms = (pages, queue, summary, explorer, performance, export, verdicts, tags, scenes, images)
    for room in rooms:
        app.include_router(room.router)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(FileNotFoundError, _unpublished)
    app.add_exception_handler(StoreError, _unreadable)
    return app


def _warm(behind: Published) -> None:
    """Ready before the first one asks. What is not there yet is said to whoever asks."""
    behind.warm()
    with contextlib.suppress(FileNotFoundError, StoreError):
        performance.warm(behind)


def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return answer({"error": str(error)}, error.status)


def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    said = [f"{'.'.join(str(p) for p in e['loc'][1:])}: {e['msg']}" for e in error.errors()]
    return answer({"error": "; ".join(said)}, 422)


def _unpublished(_: Request, error: Exception) -> Response:
    return answer({"error": "nothing has been published here yet: audit a batch first"}, 503)


def _unreadable(request: Request, error: Exception) -> Response:
    return answer({"error": said(error, published(request).store.root)}, 503)
