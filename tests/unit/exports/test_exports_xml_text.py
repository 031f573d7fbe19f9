from __future__ import annotations

from xml.etree import ElementTree
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from label_quality.exports.formats.label_studio import label_config
from label_quality.exports.xml_text import xml_text


@given(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\0\x0b\x1f\ufffe")))
def test_any_text_makes_a_document_that_can_be_read(text: str) -> None:
    xml = f"<a>{escape(xml_text(text), {chr(13): '&#13;'})}</a>"
    assert len(ElementTree.fromstring(xml).text or "") == len(text)


@pytest.mark.parametrize("text", ["", "gear", "a\tb\nc", "é 齿轮 😀", "<&\"'>"])
def test_what_is_allowed_stays(text: str) -> None:
    assert xml_text(text) == text


def test_a_category_with_a_control_character_does_not_spoil_the_configuration() -> None:
    root = ElementTree.fromstring(label_config(["a\x0bb", "<c>"]))
    assert [e.get("value") for e in root.iter("Label")] == ["a\ufffdb", "<c>"] * 2
