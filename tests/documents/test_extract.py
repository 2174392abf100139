import time
from pathlib import Path

import pytest
from pypdf import PdfReader, PdfWriter

from antiphon.documents import extract as extraction
from antiphon.documents import pdf as reader
from antiphon.documents.extract import DocumentError, extract
from tests.documents.pdfs import line, pdf, word_by_word


def written(folder: Path, data: bytes) -> Path:
    path = folder / "file_1"  # Uploads are stored under their ids.
    path.write_bytes(data)
    return path


def refused(path: Path, filename: str = "x.txt", media_type: str | None = None) -> DocumentError:
    with pytest.raises(DocumentError) as caught:
        extract(path, filename, media_type)
    assert caught.value.message.endswith(".")
    assert str(path) not in caught.value.message
    return caught.value


@pytest.mark.parametrize(
    ("filename", "text"),
    [
        ("a.txt", "One line.\nAnother."),
        ("a.md", "# Title\n\n* point"),
        ("a.json", '{"a": ["b", 1]}'),
        ("a.csv", "name,size\nowl,70"),
        ("a.py", "def f() -> None:\n\treturn"),
        ("README", "no ending"),
        ("a.xml", "<a>kept as it is</a>"),
    ],
)
def test_text_is_kept_as_it_is(filename: str, text: str, tmp_path: Path) -> None:
    assert extract(written(tmp_path, text.encode()), filename, None) == text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_encodings_are_found(encoding: str, tmp_path: Path) -> None:
    assert extract(written(tmp_path, "Grüße für 5 €".encode(encoding)), "a.txt", None) == "Grüße für 5 €"


def test_html_goes_by_name_or_media_type(tmp_path: Path) -> None:
    path = written(tmp_path, b"<p>one</p><script>no</script><p>two</p>")
    assert extract(path, "A.HTM", None) == "one\ntwo"
    assert extract(path, "page", "text/html; charset=utf-8") == "one\ntwo"
    assert extract(path, "a.txt", "text/plain").startswith("<p>")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"PK\x03\x04rest", "ZIP archive"),
        (b"\x89PNG\r\n\x1a\n", "image"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"text\x00with nul", "not text"),
        (bytes(range(256)), "not text"),
        (b"caf\x81\x8d", "unknown encoding"),
    ],
)
def test_what_is_no_text_is_unsupported(data: bytes, says: str, tmp_path: Path) -> None:
    error = refused(written(tmp_path, data))
    assert error.code == "unsupported_file"
    assert says in error.message


def test_text_that_no_database_stores_is_omitted(tmp_path: Path) -> None:
    data = "a\x00b".encode("utf-16")
    assert extract(written(tmp_path, data), "a.txt", None) == "ab"


def test_sizes_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, b"0123456789")
    monkeypatch.setattr(extraction, "MAX_CHARACTERS", 9)
    assert (refused(path).code, "9 characters" in refused(path).message) == ("invalid_file", True)
    monkeypatch.setattr(extraction, "MAX_BYTES", 5)
    assert refused(path).code == "invalid_file"


def test_a_file_that_is_gone_is_a_fault_of_the_server(tmp_path: Path) -> None:
    assert refused(tmp_path / "gone").code == "server_error"


def test_the_text_of_a_pdf_is_pypdfs(tmp_path: Path) -> None:
    path = written(tmp_path, pdf(line("First page."), line("Second page."), b""))
    expected = "\n".join(page.extract_text() for page in PdfReader(path).pages)
    assert expected == "First page.\nSecond page.\n"
    assert extract(path, "whatever.txt", None) == expected


def test_lines_of_a_pdf_that_positions_each_word_stay_lines(tmp_path: Path) -> None:
    lines = ["The ferry leaves at noon and arrives", "in the harbor on the next morning,", "open to all."]
    page = word_by_word(*lines)
    path = written(tmp_path, pdf(page, line("Last page.")))
    assert len(PdfReader(path).pages[0].extract_text().splitlines()) == len(" ".join(lines).split())
    assert extract(path, "whatever.txt", None).splitlines() == [*lines, "Last page."]


def test_a_list_of_words_in_a_pdf_stays_a_list(tmp_path: Path) -> None:
    words = ["Oslo", "Kiel", "Turku", "Riga", "Rostock", "Gdansk"]
    text = b"BT /F1 12 Tf 72 720 Td " + b" 0 -16 Td ".join(b"(%s) Tj" % word.encode() for word in words)
    path = written(tmp_path, pdf(text + b" ET"))
    assert extract(path, "whatever.txt", None).split("\n") == words


def test_a_damaged_pdf_says_so(tmp_path: Path) -> None:
    whole = pdf(line("text"))
    for data in (b"%PDF-1.7\nnothing", whole[:40], b"%PDF-1.4\n%%EOF"):
        error = refused(written(tmp_path, data), "a.pdf")
        assert (error.code, "damaged" in error.message) == ("invalid_file", True)


def test_a_pdf_with_a_password_says_so(tmp_path: Path) -> None:
    plain = written(tmp_path, pdf(line("secret")))
    writer = PdfWriter(clone_from=plain)
    writer.encrypt("password", algorithm="AES-256")
    locked = tmp_path / "locked"
    writer.write(locked)
    error = refused(locked, "a.pdf")
    assert (error.code, "password" in error.message) == ("invalid_file", True)


@pytest.mark.slow
def test_a_pdf_has_a_bounded_number_of_pages(tmp_path: Path) -> None:
    many = pdf(*[b""] * (reader.MAX_PAGES + 1))
    error = refused(written(tmp_path, many), "a.pdf")
    assert (error.code, "5000 pages" in error.message) == ("invalid_file", True)


@pytest.mark.slow
def test_s24_a_pdf_that_unpacks_to_gigabytes_is_bounded(tmp_path: Path) -> None:
    # A page of 400 kB that unpacks to 400 MB of white space.
    bomb = pdf(b" " * 400_000_000)
    assert len(bomb) < 500_000
    began = time.monotonic()
    error = refused(written(tmp_path, bomb), "a.pdf")
    assert error.code == "invalid_file"
    assert time.monotonic() - began < 30


def test_s24_a_pdf_that_takes_for_ever_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction, "PDF_SECONDS", 0.01)
    error = refused(written(tmp_path, pdf(line("text"))), "a.pdf")
    assert (error.code, "took over 0.01 s" in error.message) == ("invalid_file", True)


def test_s24_a_zip_bomb_is_not_opened(tmp_path: Path) -> None:
    assert refused(written(tmp_path, b"PK\x03\x04" + bytes(1000)), "a.docx").code == "unsupported_file"
