"""Reads an XML file into elements that know their line. Entities are refused, so that nothing expands and nothing is fetched.

Expat by itself, because the standard library's trees forget the lines. Does not belong here: what the elements mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

MAX_DEPTH = 16  # VOC needs 5


class XmlError(ValueError):
    """A file that is no XML or holds what is not read; `line` counts from 1."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.line = line


@dataclass
class Element:
    """An element: its name, text without the blanks around it, children and line. Attributes are not kept: VOC has none."""

    tag: str
    line: int
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def find(self, tag: str) -> Element | None:
        """The first child of this name."""
        return next((child for child in self.children if child.tag == tag), None)

    def all(self, tag: str) -> Iterator[Element]:
        """The children of this name."""
        return (child for child in self.children if child.tag == tag)

    def value(self) -> object:
        """The text, or a dictionary of the children where there are some; a name that repeats becomes a list."""
        if not self.children:
            return self.text
        out: dict[str, object] = {}
        for tag in dict.fromkeys(child.tag for child in self.children):
            values = [child.value() for child in self.all(tag)]
            out[tag] = values[0] if len(values) == 1 else values
        return out


def parse(data: bytes) -> Element:
    """The root element. Raises XmlError."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    top = Element("", 0)
    stack = [top]

    def start(tag: str, _: object) -> None:
        if len(stack) > MAX_DEPTH:
            raise XmlError(f"elements are nested deeper than {MAX_DEPTH}", parser.CurrentLineNumber)
        stack.append(Element(tag, parser.CurrentLineNumber))
        stack[-2].children.append(stack[-1])

    def end(_: str) -> None:
        element = stack.pop()
        element.text = element.text.strip()

    def text(data: str) -> None:
        stack[-1].text += data

    def entity(*_: object) -> NoReturn:
        raise XmlError("the file declares entities, which are not read", parser.CurrentLineNumber)

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = text
    parser.EntityDeclHandler = entity
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise XmlError(f"no XML: {expat.ErrorString(error.code)}", error.lineno) from None
    except (ValueError, LookupError) as error:  # an encoding that Python does not know
        if isinstance(error, XmlError):
            raise
        raise XmlError(f"no XML: {error}", 1) from None
    return top.children[0]
