"""XML as the nodes that :class:`~tierkeeper.policy.nodes.Reader` reads, with the lines of the text.

S3's own format, https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html. An element
with elements in it, or one named as such (``Filter``), is a mapping; what S3 lets repeat is a list under the element's
name; anything else is a scalar of text, whatever it looks like. A document type is refused: with it come entities,
which can be endless or name files.
"""

import io
import xml.sax
import xml.sax.handler
from typing import Any, Final, NoReturn

import yaml

from tierkeeper.policy.nodes import MAX_DEPTH, STR_TAG, Reader
from tierkeeper.policy.s3.lists import list_of

_MAPPINGS: Final = frozenset({"Rule", "Filter", "And", "Tag", "Expiration", "Transition", "LifecycleConfiguration"})
_YAML: Final = "tag:yaml.org,2002:"
_AS_WRITTEN: Final = frozenset({"Key", "Prefix", "Value"})  # white space around them is part of them


def parse(reader: Reader, text: str) -> yaml.Node:
    """Return the node of the document's root element. Raises PolicyInvalid."""
    parser = xml.sax.make_parser()  # noqa: S317  a document type, without which there are no entities, is refused
    built = _Builder(reader)
    parser.setContentHandler(built)
    parser.setProperty(xml.sax.handler.property_lexical_handler, built)
    source = xml.sax.InputSource()
    source.setCharacterStream(io.StringIO(text))
    try:
        parser.parse(source)
    except xml.sax.SAXParseException as error:
        reader.refuse(error.getLineNumber() or 1, f"this is no XML ({error.getMessage()}).", "Correct the text here.")
    if built.root is None:
        reader.refuse(1, "there is nothing in it.", "Give a LifecycleConfiguration.")
    return built.root


class _Builder(xml.sax.handler.ContentHandler, xml.sax.handler.LexicalHandler):
    """Builds the nodes while the text is parsed."""

    def __init__(self, reader: Reader) -> None:
        super().__init__()
        self.root: yaml.Node | None = None
        self._reader = reader
        self._open: list[_Element] = []
        self._locator: Any = None

    def setDocumentLocator(self, locator: Any) -> None:  # noqa: ANN401, N802  the parser's
        self._locator = locator

    def startDTD(self, name: str, public_id: object, system_id: object) -> NoReturn:  # noqa: ARG002, N802  as above
        self._reader.refuse(self._line(), "a document type is not taken here.", "Remove the <!DOCTYPE …>.")

    def startElement(self, name: str, attrs: object) -> None:  # noqa: ARG002, N802  as above
        if len(self._open) >= MAX_DEPTH:
            self._reader.refuse(self._line(), f"it is nested deeper than {MAX_DEPTH} levels.", "Flatten it.")
        self._open.append(_Element(name.rpartition(":")[2], self._line()))

    def characters(self, content: str) -> None:
        if self._open:
            self._open[-1].text.append(content)

    def endElement(self, name: str) -> None:  # noqa: ARG002, N802  as above
        element = self._open.pop()
        if self._open:
            self._open[-1].children.append((element.name, element.node()))
        else:
            self.root = element.node()

    def _line(self) -> int:
        return int(self._locator.getLineNumber() or 1)


class _Element:
    """An element that is open: its text, and what it has in it so far."""

    def __init__(self, name: str, line: int) -> None:
        self.name, self.mark = name, yaml.Mark("", 0, line - 1, 0, None, 0)
        self.text: list[str] = []
        self.children: list[tuple[str, yaml.Node]] = []

    def node(self) -> yaml.Node:
        if not self.children and self.name not in _MAPPINGS:
            text = "".join(self.text)
            return _scalar(text if self.name in _AS_WRITTEN else text.strip(), self.mark)
        fields: list[tuple[yaml.Node, yaml.Node]] = []
        lists: dict[str, yaml.SequenceNode] = {}
        for name, child in self.children:
            if list_of(name, within=self.name) is None:
                fields.append((_scalar(name, child.start_mark), child))
            elif name in lists:
                lists[name].value.append(child)
            else:
                lists[name] = yaml.SequenceNode(f"{_YAML}seq", [child], child.start_mark, child.end_mark)
                fields.append((_scalar(name, child.start_mark), lists[name]))
        return yaml.MappingNode(f"{_YAML}map", fields, self.mark, self.mark)


def _scalar(text: str, mark: yaml.Mark) -> yaml.ScalarNode:
    return yaml.ScalarNode(STR_TAG, text, mark, mark)
