"""Tables of the command line: cells are never truncated, however narrow the terminal is."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.markup import escape
from rich.style import StyleType
from rich.table import Table
from rich.text import Text

FOLD_WIDTH: Final = 12  # characters that a column of longer texts keeps on one line
REFERENCES: Final = frozenset({"artifact", "item"})  # headings of what users copy: never broken over lines
REFERENCE_WIDTH: Final = 24  # characters of a reference that stay, from its end


class PlainTable(Table):
    """A table with literal texts: brackets in a name are no markup."""

    def add_row(self, *cells: RenderableType | None, style: StyleType | None = None, end_section: bool = False) -> None:
        """Add a row; a string is taken literally."""
        literal = (Text(cell) if isinstance(cell, str) else cell for cell in cells)
        super().add_row(*literal, style=style, end_section=end_section)


class WholeTable(PlainTable):
    """A table in which nothing is truncated, ids and headings least of all.

    On a narrow terminal the ``folded`` columns wrap, each down to its number of characters, but for references, which
    lose their beginning; then headings of several words wrap, and the gaps shrink. A table that is still too wide is
    printed as one block per row, with whole references.
    """

    def __init__(self, title: str | None, folded: Mapping[str, int]) -> None:
        super().__init__(
            title=None if title is None else escape(title),
            title_justify="left",
            title_style="bold",
            box=box.SIMPLE_HEAD,
            header_style="bold",
            pad_edge=False,
            show_edge=False,
        )
        self._headings: list[str] = []
        self._folded = folded

    def head(self, heading: str, *, number: bool) -> None:
        """Add a column."""
        self._headings.append(heading)
        self.add_column(heading, justify="right" if number else "left", overflow="fold")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render the table in the widest layout that fits."""
        for gap, stacked in ((2, False), (2, True), (1, True)):
            heads = ["\n".join(heading.split()) if stacked else heading for heading in self._headings]
            widths = self._widths(console, heads, options.max_width - gap * len(heads) + 1)
            if widths is not None:
                self.padding = (0, gap - 1, 0, 0)  # the box has a space between columns
                for column, head, width in zip(self.columns, heads, widths, strict=True):
                    column.header, column.width = Text(head), width
                self._shorten_references()
                yield from super().__rich_console__(console, options)
                return
        yield from self._blocks()

    def _shorten_references(self) -> None:
        for heading, column in zip(self._headings, self.columns, strict=True):
            if heading in REFERENCES and column.width is not None:
                column._cells = [from_the_left(str(cell), column.width) for cell in column._cells]  # noqa: SLF001  rich has no other way

    def _widths(self, console: Console, heads: Sequence[str], room: int) -> list[int] | None:
        """Return the width of each column; None if they do not fit into ``room`` characters."""
        whole, least = [], []
        for heading, head, column in zip(self._headings, heads, self.columns, strict=True):
            cells = [console.measure(cell).maximum for cell in column.cells]
            whole.append(max([cell_len(line) for line in head.split("\n")] + cells))
            word = max((cell_len(part) for part in heading.split()), default=0)
            folded = self._folded.get(heading, whole[-1])
            least.append(min(whole[-1], max(word, max(folded, REFERENCE_WIDTH) if heading in REFERENCES else folded)))
        widths, spare = list(least), room - sum(least)
        if spare < 0:
            return None
        wanting = sorted(range(len(whole)), key=lambda at: whole[at] - least[at])
        for number, at in enumerate(wanting):
            more = min(whole[at] - least[at], spare // (len(wanting) - number))
            widths[at] += more
            spare -= more
        return widths

    def _blocks(self) -> Iterator[RenderableType]:
        if self.title is not None:
            yield Text.from_markup(str(self.title), style="bold")
        for number, row in enumerate(zip(*(column.cells for column in self.columns), strict=True)):
            if number:
                yield ""
            filled = [
                (heading, unbroken(cell) if heading in REFERENCES else cell)
                for heading, cell in zip(self._headings, row, strict=True)
                if str(cell)
            ]
            yield pairs((f"{heading}:" if heading else "", cell) for heading, cell in filled)


def from_the_left(text: str, width: int) -> Text:
    """Return the end of a text that is too long for ``width`` characters, behind an ellipsis."""
    if cell_len(text) <= width:
        return Text(text)
    while cell_len(text) > width - 1:
        text = text[1:]
    return Text(f"…{text}")


class PairTable(PlainTable):
    """Names and values; a value that must not be broken and is too long for the terminal goes over its edge whole."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render the long unbroken values first, each on its line, then the others."""
        names, values = self.columns
        rows = list(zip(names.cells, values.cells, strict=True))
        room = options.max_width - max((cell_len(str(name)) for name, _value in rows), default=0) - 2
        long = {
            at: value
            for at, (_name, value) in enumerate(rows)
            if isinstance(value, Text) and value.no_wrap and cell_len(value.plain) > room
        }
        for at, value in long.items():
            name = rows[at][0]
            yield Text(f"{name}  ", style="bright_black", no_wrap=True, overflow="ignore").append_text(value)
        if long:
            rest = pairs((str(name), value) for at, (name, value) in enumerate(rows) if at not in long)
            yield from rest.__rich_console__(console, options)
        else:
            yield from super().__rich_console__(console, options)


def unbroken(value: object, *, style: str = "") -> Text:
    """Return a reference as a text that stays on one line, as wide as it is."""
    return Text(str(value), style=style, no_wrap=True, overflow="ignore")


def table(
    *columns: str,
    title: str | None = None,
    right: Sequence[str] = (),
    fold: Sequence[str] = (),
    least: Mapping[str, int] | None = None,
) -> Table:
    """Return an empty table; columns in ``right`` are numbers, those in ``fold`` may wrap.

    ``least``: the number of characters of a folded column that stay on one line, however narrow the terminal is.
    """
    made = WholeTable(title, {column: (least or {}).get(column, FOLD_WIDTH) for column in fold})
    for column in columns:
        made.head(column, number=column in right)
    return made


def pairs(rows: Iterable[tuple[str, RenderableType | None]]) -> Table:
    """Return a table of names and values without a frame; values of None are left out."""
    made = PairTable(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    made.add_column(style="bright_black", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in rows:
        if value is not None:
            made.add_row(name, value)
    return made
