"""Reads the bytes of a spreadsheet into rows of known columns. Knows encodings, delimiters and bounds; judges no value."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from typing import NamedTuple

from provisioner.importing.columns import ALIASES, CLEAR, column_name, near_column, plain_text
from provisioner.importing.values import ImportMistake, ParsedFile, ParsedRow

MAX_BYTES = 16 * 1024 * 1024
MAX_ROWS = 50_000
MAX_COLUMNS = 64
MAX_FOREIGN_COLUMNS = 2_000
"""Of other systems, which repeat a group of columns for each line and key of a phone."""
DELIMITERS = ",;\t"
_SEPARATOR_LINE = re.compile(r"\Asep=(.)\r?\n", re.IGNORECASE)


class UnreadableFileError(Exception):
    """The file as a whole cannot be taken."""

    def __init__(self, mistakes: list[ImportMistake]) -> None:
        self.mistakes = mistakes
        super().__init__(str(mistakes[0]))


class _Column(NamedTuple):
    at: int
    name: str


def parsed_file(content: str | bytes) -> ParsedFile:
    """Returns the rows of a CSV file, or why it cannot be read. Never raises."""
    notes: list[str] = []
    try:
        return _parsed(_text(content, notes), notes)
    except UnreadableFileError as error:
        return ParsedFile((), tuple(error.mistakes), tuple(notes), is_unreadable=True)


def _parsed(text: str, notes: list[str]) -> ParsedFile:
    separator = _SEPARATOR_LINE.match(text)  # Excel writes "sep=;" as a first line of its own
    delimiter = separator[1] if separator else best_delimiter(text)
    records = _records(text, delimiter)
    if separator:
        next(records)
    header_line, header = next(records, (1, []))
    columns = _columns(header_line, header, notes)
    rows: list[ParsedRow] = []
    mistakes: list[ImportMistake] = []
    for line, record in records:
        if len(rows) + len(mistakes) >= MAX_ROWS:
            raise refused(line, f"there are more than {MAX_ROWS} rows", "import it in parts")
        if len(record) > len(header) and any(cell.strip() for cell in record[len(header) :]):
            sentence = f"this row has {len(record)} cells and the header {len(header)}"
            mistakes.append(ImportMistake(line, "", sentence, 'put text that holds the separator in quotes: "Smith, Bob"'))
            continue
        cells = _cells(record, columns)
        if cells:
            rows.append(ParsedRow(line, cells))
    return ParsedFile(tuple(rows), tuple(mistakes), tuple(notes))


def table(content: str | bytes, notes: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Yields (line, cells) of each row of another system's CSV, the row of names first. Raises ``UnreadableFileError``."""
    text = _text(content, notes)
    first = text.lstrip("\r\n").partition("\n")[0]
    for at, (line, record) in enumerate(_records(text, max(DELIMITERS, key=first.count))):
        if at > MAX_ROWS:
            raise refused(line, f"there are more than {MAX_ROWS} rows", "import it in parts")
        if len(record) > MAX_FOREIGN_COLUMNS:
            mend = "take away those that are not needed"
            raise refused(line, f"there are {len(record)} columns; at most {MAX_FOREIGN_COLUMNS} are taken", mend)
        yield line, record


def best_delimiter(text: str) -> str:
    """Returns the delimiter under which the first row names the most known columns; the comma where none does better."""

    def known(delimiter: str) -> int:
        try:
            first = next((record for _, record in _records(text, delimiter)), [])
        except UnreadableFileError:
            return -1
        return sum(1 for cell in first if column_name(cell))

    return max(DELIMITERS, key=known)


def _text(content: str | bytes, notes: list[str]) -> str:
    size = len(content) if isinstance(content, bytes) else len(content.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise refused(1, f"the file has {size} bytes; at most {MAX_BYTES} are taken", "import it in parts")
    text = content if isinstance(content, str) else _decoded(content, notes)
    return text.removeprefix("\ufeff")


def _decoded(raw: bytes, notes: list[str]) -> str:
    """Returns the text: by its byte order mark, else UTF-8, else Windows-1252, which older spreadsheet programs write."""
    try:
        if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return raw.decode("utf-16")
        if b"\x00" in raw[:200]:
            return raw.decode("utf-16-be" if raw[:1] == b"\x00" else "utf-16-le")
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        text = raw.decode("cp1252")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise refused(line, f"byte {error.start} is neither UTF-8, UTF-16 nor Windows-1252", "save the file as CSV in UTF-8") from error
    notes.append("the file is not UTF-8; it was read as Windows-1252: look at letters with accents before you commit")
    return text


def _records(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yields (line where it begins, cells) of each row that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            # What follows could be swallowed by an open quote: nothing after this can be trusted.
            raise refused(
                line, f"the quotes of this row do not fit ({error})", 'a quote inside a quoted cell is written twice: ""'
            ) from error
        if any(cell.strip() for cell in record):
            yield line, record


def _columns(line: int, header: list[str], notes: list[str]) -> list[_Column]:
    """Returns the columns that are used. Raises ``UnreadableFileError`` with everything that is wrong with the header."""
    if len(header) > MAX_COLUMNS:
        raise refused(line, f"there are {len(header)} columns; at most {MAX_COLUMNS} are taken", "take away those that are not needed")
    columns: dict[str, _Column] = {}
    mistakes: list[ImportMistake] = []
    for at, cell in enumerate(header):
        name = column_name(cell)
        near = None if name else near_column(cell)
        if name in columns:
            mistakes.append(ImportMistake(line, cell.strip(), f"the column {name} is there twice", "keep one of them"))
        elif name:
            columns[name] = _Column(at, name)
        elif near:
            mistakes.append(ImportMistake(line, cell.strip(), "there is no such column", f"did you mean {near}?"))
        elif cell.strip():
            notes.append(f"the column '{cell.strip()[:40]}' is not used")
    if not mistakes and not columns.keys() & {"mac", "extension"}:
        mend = f"begin with a header row; columns are {', '.join(ALIASES)}, line1, line2, setting:<name>"
        raise refused(line, "the first row names neither mac nor extension", mend)
    if mistakes:
        raise UnreadableFileError(mistakes)
    return list(columns.values())


def _cells(record: list[str], columns: list[_Column]) -> dict[str, str | None]:
    cells: dict[str, str | None] = {}
    for at, name in columns:
        raw = record[at].strip() if at < len(record) else ""
        if raw:
            cells[name] = None if raw == CLEAR else plain_text(raw)
    return cells


def refused(line: int, sentence: str, mend: str) -> UnreadableFileError:
    """Returns the error of a file that cannot be taken, for one reason."""
    return UnreadableFileError([ImportMistake(line, "", sentence, mend)])
