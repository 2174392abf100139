"""Small handwritten PDFs, of which the tests know every byte."""

import zlib


def pdf(*pages: bytes) -> bytes:
    """Return a PDF whose pages have these content streams, each compressed."""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count %d /Kids [%s] >>"
        % (len(pages), b" ".join(b"%d 0 R" % (4 + 2 * at) for at in range(len(pages)))),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for at, content in enumerate(pages):
        packed = zlib.compress(content, 9)
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R >> >> >>" % (5 + 2 * at)
        )
        objects.append(
            b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(packed), packed)
        )
    written = b"%PDF-1.4\n"
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(written))
        written += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    written += b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, table)
    return written + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        size,
        len(written) - len(b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, table)),
    )


def word_by_word(*lines: str) -> bytes:
    """Return a page's content stream with a text object for each word, as Google Docs writes them."""
    drawn = [b"1 0 0 -1 0 792 cm"]
    for number, text in enumerate(lines):
        x, y = 72.0, 100 + 16 * number
        for word in text.split():
            position = b"1 0 0 -1 0 0 Tm %.2f %d Td" % (x, -y)
            drawn.append(b"q BT /F1 12 Tf %s (%s ) Tj ET Q" % (position, word.encode("latin-1")))
            x += 12 * sum(_WIDTHS.get(letter, 0.556) for letter in word + " ")
    return b"\n".join(drawn)


_WIDTHS = {
    " ": 0.278,
    "f": 0.278,
    "i": 0.222,
    "l": 0.222,
    "m": 0.833,
    "r": 0.333,
    "s": 0.5,
    "t": 0.278,
    "w": 0.722,
}
"""Widths of Helvetica's letters that differ from 0.556, the width of most."""


def line(text: str) -> bytes:
    """Return a page's content stream with one line of text."""
    return b"BT /F1 12 Tf 72 720 Td (%s) Tj ET" % text.encode("latin-1")
