"""Answers of the JSON endpoints, and how they say no. Nothing here knows what is asked."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import Depends, Request
from starlette.responses import Response

from label_quality.review.database import Published

T = TypeVar("T")


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


def answer(data: Any, status: int = 200) -> Response:
    """`data` as JSON; NaN becomes null."""
    return Response(msgspec.json.encode(data), status, media_type="application/json")


async def body_of(request: Request, type_: type[T]) -> T:
    """The JSON body of a post as `type_`; Refused with the place of the mistake."""
    try:
        return msgspec.json.decode(await request.body(), type=type_)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Refused(str(error), 422) from None
