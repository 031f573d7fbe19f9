"""Answers of the JSON endpoints, and how they say no. Nothing here knows what is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import Depends, Request
from fastapi import Path as PathParameter
from starlette.responses import Response

from label_quality.review.database import Published

T = TypeVar("T")
_LEAST, _MOST = -(2**63), 2**63 - 1  # what the databases can hold
Int64 = Annotated[int, msgspec.Meta(ge=_LEAST, le=_MOST)]
"""A whole number of a body."""
ImageId = Annotated[int, PathParameter(ge=_LEAST, le=_MOST)]
"""An image_id in a path."""

_LARGEST = 2**53 - 1  # from here on a double, which is all that JavaScript has, skips integers


def published(request: Request) -> Published:
    """The database behind the application."""
    found: Published = request.app.state.published
    return found


Database = Annotated[Published, Depends(published)]


class Refused(Exception):
    """A request that cannot be answered; the message is shown to the person who asked."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def said(error: Exception, root: Path) -> str:
    """The sentence of an error without the place of `root` on this machine, which those who look from elsewhere need not know."""
    return str(error).replace(f"{root}/", "").replace(str(root), "the root")


def answer(data: Any, status: int = 200) -> Response:
    """`data` as JSON; NaN becomes null, and an id that JavaScript cannot hold exactly becomes a string."""
    return Response(msgspec.json.encode(_exact(data)), status, media_type="application/json")


def _exact(data: Any) -> Any:
    if isinstance(data, dict):
        return {k: _exact(v) for k, v in data.items()}
    if isinstance(data, list):
        return [_exact(v) for v in data]
    return str(data) if type(data) is int and abs(data) > _LARGEST else data


async def body_of(request: Request, type_: type[T]) -> T:
    """The JSON body of a post as `type_`, ids as numbers or strings; Refused with the place of the mistake."""
    try:
        return msgspec.json.decode(await request.body(), type=type_, strict=False)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Refused(str(error), 422) from None
