"""How tables of separated values are laid out, as programs and people write them."""

from __future__ import annotations

import pytest

from quire.books.rows.csv_layout import Layout, find_layout

TEXT = "She came late; nobody waited, of course | and the rain, which had begun, went on."


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_head_decides_where_texts_hold_every_separator(separator: str) -> None:
    head = separator.join(("id", "text", "x"))
    ragged = "".join(f'{n}{separator}"{TEXT}"{separator * (n % 3)}\n' for n in range(6))
    assert find_layout(f"{head}\n{ragged}", tabs=False) == Layout(separator)


def test_without_known_names_the_rows_decide() -> None:
    assert find_layout('a;b\n"x, y, z";1\n"x, y";2\n', tabs=False).separator == ";"
    assert find_layout("1|2|3\n4|5|6\n", tabs=False).separator == "|"
    assert find_layout("a b\nc d\n", tabs=True).separator == "\t"


def test_a_column_that_is_asked_for_is_in_the_head() -> None:
    text = "récit,note;x\nOne; two; three,4;5\nOne; two; six,7;8\n"
    assert find_layout(text, tabs=False, asked={"récit"}).separator == ","


def test_what_stands_before_the_table_is_counted() -> None:
    assert find_layout("sep=;\nid;text\n1;a, b\n", tabs=False) == Layout(";", before=1)
    assert find_layout("# by hand\n# twice\nid,text\n1,a\n", tabs=False) == Layout(",", before=2)


def test_quotes_as_databases_write_them() -> None:
    assert find_layout('id,text\n1,"He said \\"no\\", and left."\n', tabs=False) == Layout(",", escape="\\")
    assert find_layout("'id','text'\n'1','a, b'\n'2','c'\n", tabs=False) == Layout(",", quote="'")
    assert find_layout("id,text\n1,'tis late\n2,o'clock\n", tabs=False) == Layout(",")


def test_the_rows_of_a_beginning() -> None:
    assert Layout(";", before=1).rows_of("sep=;\n\na;b\n;\n1;2") == [["a", "b"], ["1", "2"]]
