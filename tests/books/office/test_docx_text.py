"""The paragraphs of a Word document, one by one."""

from __future__ import annotations

from lxml import etree

from quire.books.office.docx_text import Walker
from quire.books.office.paragraph import Paragraph
from quire.books.office.styles import Style

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def walk(inner: str, styles: dict[str, Style] | None = None) -> list[Paragraph]:
    root = etree.fromstring(f"<w:body {W}>{inner}</w:body>")
    return list(Walker(styles or {}).paragraphs(root))


def run(text: str, properties: str = "") -> str:
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def test_cells_lists_and_boxes_are_read_in_order() -> None:
    table = f"<w:tbl><w:tr><w:tc><w:p>{run('one')}</w:p></w:tc><w:tc><w:p>{run('two')}</w:p></w:tc></w:tr></w:tbl>"
    control = f"<w:sdt><w:sdtContent><w:p>{run('three')}</w:p></w:sdtContent></w:sdt>"
    assert [one.text for one in walk(table + control + f"<w:p>{run('four')}</w:p>")] == ["one", "two", "three", "four"]


def test_a_deleted_row_is_not_read() -> None:
    row = f"<w:tr><w:trPr><w:del/></w:trPr><w:tc><w:p>{run('gone')}</w:p></w:tc></w:tr>"
    assert [one.text for one in walk(f"<w:tbl>{row}</w:tbl><w:p>{run('kept')}</w:p>")] == ["kept"]


def test_insertions_stay_deletions_go_aside() -> None:
    (one,) = walk(
        f"<w:p><w:ins>{run('new ')}</w:ins><w:del><w:r><w:delText>old</w:delText></w:r></w:del>{run('end')}</w:p>"
    )
    assert (one.text, one.deleted) == ("new end", ["old"])


def test_looks_come_from_letters_their_style_and_the_paragraph_s() -> None:
    styles = {
        "Head": Style("head", bold=True, size=20.0, centred=True, new_page=True),
        "Strong": Style("strong", bold=True),
        "": Style("normal", size=12.0),
    }
    by_style, by_hand, by_letters, plain = walk(
        f'<w:p><w:pPr><w:pStyle w:val="Head"/></w:pPr>{run("One")}</w:p>'
        f'<w:p><w:pPr><w:jc w:val="center"/></w:pPr>{run("Two", "<w:b/>")}{run(" ")}</w:p>'
        f'<w:p>{run("Three", """<w:rStyle w:val="Strong"/><w:sz w:val="30"/>""")}</w:p>'
        f'<w:p><w:pPr><w:pStyle w:val="Head"/><w:jc w:val="left"/></w:pPr>{run("Four", """<w:b w:val="0"/>""")}</w:p>',
        styles,
    )
    assert (by_style.bold, by_style.size, by_style.centred, by_style.new_page) == (True, 20.0, True, True)
    assert (by_hand.bold, by_hand.size, by_hand.centred) == (True, 12.0, True)
    assert (by_letters.bold, by_letters.size, by_letters.centred) == (True, 15.0, False)
    assert (plain.bold, plain.centred) == (False, False)


def test_a_long_paragraph_has_the_size_of_most_of_its_letters() -> None:
    (one,) = walk(f'<w:p>{run("x" * 300, """<w:sz w:val="24"/>""")}{run("y", """<w:sz w:val="90"/>""")}</w:p>')
    assert one.size == 12.0


def test_marks_of_notes_leave_the_line() -> None:
    mark = '<w:r><w:footnoteReference w:id="2"/></w:r>'
    own = '<w:r><w:endnoteReference w:id="3" w:customMarkFollows="1"/><w:t>*</w:t></w:r>'
    assert [one.text for one in walk(f"<w:p>{run('said')}{mark}{run(' she')}{own}</w:p>")] == ["said she"]


def test_a_field_over_several_paragraphs_ends_where_it_ends() -> None:
    begin = '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>TOC</w:instrText></w:r>'
    begin += '<w:r><w:fldChar w:fldCharType="separate"/></w:r>'
    end = '<w:r><w:fldChar w:fldCharType="end"/></w:r>'
    found = walk(f"<w:p>{begin}{run('One 3')}</w:p><w:p>{run('Two 9')}</w:p><w:p>{end}</w:p><w:p>{run('Text')}</w:p>")
    assert [(one.text, one.contents) for one in found if one.text] == [
        ("One 3", True),
        ("Two 9", True),
        ("Text", False),
    ]


def test_breaks_of_pages_and_lines() -> None:
    first, second = walk(
        '<w:p><w:r><w:t>a</w:t><w:br/><w:t>b</w:t></w:r></w:p><w:p><w:r><w:br w:type="page"/></w:r></w:p>'
    )
    assert (first.text, first.page_after) == ("a\nb", False)
    assert second.page_after


def test_readings_over_letters_are_not_read_twice() -> None:
    ruby = f"<w:ruby><w:rt>{run('kana')}</w:rt><w:rubyBase>{run('base')}</w:rubyBase></w:ruby>"
    assert [one.text for one in walk(f"<w:p><w:r>{ruby}</w:r></w:p>")] == ["base"]
