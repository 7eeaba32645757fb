"""Tables of separated values, as spreadsheets and people write them."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.books.rows.csv_rows import read_csv
from quire.books.rows.row import START, Bad, Entry, Row

STORY = "The ferry came late, and “nobody” waited for it; the rain had seen to that."


def entries(text: str | bytes, tabs: bool = False, names: tuple[str, ...] = ()) -> list[Entry]:
    data = text.encode() if isinstance(text, str) else text
    return list(read_csv(io.BytesIO(data), tabs, START, names))


def rows(text: str | bytes, tabs: bool = False, names: tuple[str, ...] = ()) -> list[dict[str, object]]:
    return [entry.values for entry in entries(text, tabs, names) if isinstance(entry, Row)]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_separators_are_found(separator: str, end: str) -> None:
    out = io.StringIO()
    table = csv.writer(out, delimiter=separator, lineterminator=end)
    table.writerows([["id", "text"], ["1", STORY], ["2", STORY + "\n\nA second paragraph."]])
    found = rows(out.getvalue())
    assert [(row["id"], str(row["text"]).replace("\r\n", "\n")) for row in found] == [
        ("1", STORY),
        ("2", STORY + "\n\nA second paragraph."),
    ]


def test_quotes_and_line_ends_inside_fields() -> None:
    text = 'title,text\nA,"He said ""no"",\nand left."\nB,"x"\n'
    found = entries(text)
    assert [entry.values for entry in found if isinstance(entry, Row)] == [
        {"title": "A", "text": 'He said "no",\nand left.'},
        {"title": "B", "text": "x"},
    ]
    assert [entry.number for entry in found] == [2, 4]


def test_a_table_without_a_head() -> None:
    text = f"1,{STORY.replace(',', '')}\n2,{STORY.replace(',', '')}\n"
    assert rows(text)[0]["column 1"] == "1"
    assert len(rows(text)) == 2


def test_a_head_is_told_by_usual_names_by_those_asked_for_or_by_its_shape() -> None:
    assert rows("title,text\nA,B\n") == [{"title": "A", "text": "B"}]
    assert rows("xx,yy\nA,B\n", names=("YY",)) == [{"xx": "A", "yy": "B"}]
    assert rows("xx,yy\nA,B\n") == [{"column 1": "xx", "column 2": "yy"}, {"column 1": "A", "column 2": "B"}]
    assert rows("xx,yy\nA,1\n") == [{"xx": "A", "yy": "1"}]
    long = "word " * 60
    assert rows(f"nom,histoire\nA,{long}\n") == [{"nom": "A", "histoire": long}]


def test_doubled_and_missing_names() -> None:
    assert rows("text,text,\na,b,c\n") == [{"text": "a", "text 2": "b", "column 3": "c"}]


def test_a_quote_that_is_never_closed_spoils_its_row_alone() -> None:
    found = entries('title,text\nA,"open\nB,fine\nC,fine too\n')
    assert [entry.reason if isinstance(entry, Bad) else entry.values["title"] for entry in found] == [
        "row with a quote that is never closed",
        "B",
        "C",
    ]


def test_quotes_within_plain_fields_stay() -> None:
    assert rows('title,text\nA,the "old" mill\nB,"He" said so\n') == [
        {"title": "A", "text": 'the "old" mill'},
        {"title": "B", "text": "He said so"},
    ]


def test_rows_of_other_lengths() -> None:
    found = entries("title,text\nA\nB,b,too many\nC,c\n")
    assert [entry.reason if isinstance(entry, Bad) else dict(entry.values) for entry in found] == [
        {"title": "A"},
        "row with more fields than the table has columns",
        {"title": "C", "text": "c"},
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252"])
def test_encodings(encoding: str) -> None:
    text = "title,text\nÉté,« Où est-il allé l’été dernier ? » demanda la passeuse. Ça personne ne le sut.\n"
    assert rows(text.encode(encoding).replace(b"\xa0", b" "))[0]["title"] == "Été"


def test_tabs_by_name() -> None:
    assert rows("title\ttext\nA\tb, c; d\n", tabs=True) == [{"title": "A", "text": "b, c; d"}]


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(*[st.text("ab\"',;\n é|\t", max_size=12)] * 2).filter(
            lambda row: any(field.strip() for field in row)
        ),
        min_size=1,
        max_size=8,
    )
)
def test_what_a_program_writes_is_read_back(table: list[tuple[str, str]]) -> None:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([("title", "text"), *table])
    assert [(row.get("title", ""), row.get("text", "")) for row in rows(out.getvalue())] == [
        tuple(field if field.strip() else "" for field in row) for row in table
    ]


@settings(max_examples=150)
@given(st.binary(max_size=300) | st.text('a",\n\r;\x00', max_size=200).map(str.encode))
def test_any_bytes_are_rows_or_dropped(data: bytes) -> None:
    assert all(isinstance(entry, Row | Bad) for entry in entries(data))


def test_one_text_a_line_below_a_name_needs_no_quotes() -> None:
    assert rows(f"text\n{STORY}, and so on\n") == [{"text": f"{STORY}, and so on"}]


def test_ragged_rows_cost_themselves_alone() -> None:
    found = entries(f'id,text,x\n1,"{STORY}"\n2,"{STORY}",a,b,c\n3,"{STORY}",z\n')
    assert [type(entry) for entry in found] == [Row, Bad, Row]
    assert [entry.number for entry in found] == [2, 3, 4]
