"""A csv or tsv comes back byte for byte, with the answers at the end of each line."""

import csv
import io
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.documents.reader.csv_text import TextChoice, dialect_of, read_rows
from portal.jobs.export.added import AddedCell, AddedRow, Tone
from portal.jobs.export.csv_cells import harmless, harmless_throughout
from portal.jobs.export.in_place.errors import CannotWriteInPlace
from portal.jobs.export.in_place.text import OpenText
from tests.jobs.export.own_workbook import AT

HEADINGS = ["Estado", "Operador"]
FOUND: list[AddedCell] = ["Con datos", "Movistar"]


def copied(content: bytes, rows: list[AddedRow], width: int, name: str = "a.csv", header_row: int = 1) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        text = OpenText(path, path.suffix, width, header_row)
        out = b"".join(text.copy(iter(rows)))
        text.close()
        assert path.read_bytes() == content
    return out


def read(content: bytes, name: str = "a.csv") -> list[list[str]]:
    """The rows as the portal reads them, without empty cells at the end."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        return list(read_rows(path, dialect_of(path, path.suffix)))


def added(rows: range, cells: list[AddedCell] = FOUND) -> list[AddedRow]:
    return [AddedRow(1, HEADINGS, Tone.HEADING), *(AddedRow(row, cells, Tone.FOUND) for row in rows)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(
            "Tel;Saldo\r\n600123123;-12,50\r\n600123124;'+1,5%\r\n",
            "Tel;Saldo;Estado;Operador\r\n"
            "600123123;-12,50;Con datos;Movistar\r\n600123124;'+1,5%;Con datos;Movistar\r\n",
            id="negative numbers and apostrophes stay",
        ),
        pytest.param(
            'Tel,"Nota"\n"600123123","dos\r\nlíneas, ""y"" más"\r\n600123124,x',
            'Tel,"Nota",Estado,Operador\n"600123123","dos\r\nlíneas, ""y"" más",Con datos,Movistar\r\n'
            "600123124,x,Con datos,Movistar",
            id="each quote and each line end stays, the last line has none",
        ),
        pytest.param(
            "sep=;\r\nTel;A;B\r\n600123123\r\n600123124;1;2\r\n",
            "sep=;\r\nTel;A;B;Estado;Operador\r\n"
            "600123123;;;Con datos;Movistar\r\n600123124;1;2;Con datos;Movistar\r\n",
            id="the hint stays, short rows are filled up",
        ),
        pytest.param(
            "Tel\n600123123\n600123124\n",
            "Tel;Estado;Operador\n600123123;Con datos;Movistar\n600123124;Con datos;Movistar\n",
            id="one column gets a delimiter",
        ),
        pytest.param(
            "Tel\nAna; 600123123\nEva 600123124\nPep\nIris\n",
            "Tel,Estado,Operador\nAna; 600123123,Con datos,Movistar\nEva 600123124,Con datos,Movistar\nPep\nIris\n",
            id="one column with a semicolon in it gets another",
        ),
        pytest.param(
            'Tel;Nota\n600123123;"abierta\n600123124;x\n',
            'Tel;Nota;Estado;Operador\n600123123;"abierta;Con datos;Movistar\n600123124;x;Con datos;Movistar\n',
            id="a stray quote",
        ),
        pytest.param(
            "Tel;A;;\n600123123;1;;\n600123124;1;;\n",
            "Tel;A;;;Estado;Operador\n600123123;1;;;Con datos;Movistar\n600123124;1;;;Con datos;Movistar\n",
            id="empty cells at the end stay",
        ),
        pytest.param(
            f"Tel;Nota\n600123123;{'x' * 40_000}\n600123124;y\n",
            f"Tel;Nota;Estado;Operador\n600123123;{'x' * 40_000};Con datos;Movistar\n600123124;y;Con datos;Movistar\n",
            id="a long text is not cut",
        ),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be"])
def test_only_the_answers_are_added(content: str, expected: str, encoding: str) -> None:
    width = 3 if "A;B" in content else 1 if content.startswith("Tel\n") else 2
    assert copied(content.encode(encoding), added(range(2, 4)), width) == expected.encode(encoding)


Made = tuple[str, bytes, list[bytes], list[bytes], list[int], str]
WORDS = ["Sí", "x;y", "a,b", 'di "no"', "=1+1", "-5", "+34600123123"]
FIELD = st.text(st.sampled_from("ab ñ€1-=+'\";,\t\r\n"), max_size=6)


@st.composite
def files(draw: st.DrawFn) -> Made:
    """A text file of two to four columns in some dialect, with each record and each line end as bytes."""
    delimiter = draw(st.sampled_from(";,\t|"))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "utf-16-le"]))
    width = draw(st.integers(2, 4))
    heading = delimiter.join(f"número{n}" for n in range(width))  # says what the encoding is: "ñ€" alone is a guess
    records, widths = [heading], [width]
    for cells in draw(st.lists(st.lists(FIELD, min_size=2, max_size=width), min_size=1, max_size=8)):
        quote_all = draw(st.booleans())
        out = io.StringIO()
        csv.writer(out, delimiter=delimiter, lineterminator="\r\n",
                   quoting=csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL).writerow(cells)  # fmt: skip
        records.append(out.getvalue()[:-2])
        widths.append(len(cells))
    ends = [draw(st.sampled_from(["\r\n", "\n", "\r"])) for _ in records]
    ends[-1] = draw(st.sampled_from(["", "\n", "\r\n"]))
    # A fixed hint: what the delimiter of random fields is, is a guess.
    records.insert(0, f"sep={delimiter}")
    ends.insert(0, "\r\n")
    plain = "utf-16-le" if encoding == "utf-16-le" else encoding.removesuffix("-sig")
    mark = "\ufeff".encode(plain) if encoding in ("utf-8-sig", "utf-16-le") else b""
    if plain == "utf-8" and encoding == "utf-8":
        records[1] += "ł"  # else valid cp1252 may be meant
    raw, raw_ends = [one.encode(plain) for one in records], [end.encode(plain) for end in ends]
    return delimiter, mark, raw, raw_ends, widths, plain


@given(files(), st.sets(st.integers(1, 9)), st.sampled_from(WORDS))
def test_every_byte_stays_in_any_dialect(made: Made, chosen: set[int], word: str) -> None:
    delimiter, mark, records, ends, widths, encoding = made
    content = mark + b"".join(record + end for record, end in zip(records, ends, strict=True))
    rows = [AddedRow(row, [word, 3], Tone.FOUND) for row in sorted(chosen)]
    shown = harmless(word)
    quoted = '"' + shown.replace('"', '""') + '"' if set(shown) & set(',;"') else shown
    expected = mark + records[0] + ends[0]
    for row_no, (record, end, width) in enumerate(zip(records[1:], ends[1:], widths, strict=True), start=1):
        new = delimiter * (max(widths) - width) + f"{delimiter}{quoted}{delimiter}3" if row_no in chosen else ""
        expected += record + new.encode(encoding) + end
    out = copied(content, rows, max(widths))
    assert out == expected
    before, after = read(content), read(out)
    assert len(after) == len(before)
    assert all(new[: len(old)] == old for old, new in zip(before, after, strict=True))


def test_letters_that_the_encoding_lacks_lose_their_accent() -> None:
    content = "Año;Tel\n1;600123123\n".encode("cp1252")
    out = copied(content, added(range(2, 3), ["Łódź ő 中", AT]), 2)
    assert out.decode("cp1252").splitlines()[1] == "1;600123123;Lódz o ?;2026-01-31 18:05:00"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("-5", "-5"), ("-12,50", "-12,50"), ("+1,5%", "+1,5%"), ("+34", "+34"), ("-1.000,30 €", "-1.000,30 €"),
        ("+34600123123", "+34600123123"), ("-", "'-"), ("=1", "'=1"), ("-5+cmd|x", "'-5+cmd|x"), ("@a", "'@a"),
        ("＝1", "'＝1"), ("-5\n", "'-5\n"), ("-٣", "'-٣"),
    ],
)  # fmt: skip
def test_numbers_have_no_apostrophe(text: str, shown: str) -> None:
    assert harmless(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"), [("x,=1+1", "x,'=1+1"), ("x; @a,y", "x; '@a,y"), ("a, -5, b", "a, -5, b"), ("a-b", "a-b")]
)
def test_a_cell_is_no_formula_for_a_program_that_splits_elsewhere(text: str, shown: str) -> None:
    assert harmless_throughout(text) == shown
    out = copied(b"a;b\n1;2\n", added(range(2, 3), [text, 1]), 2).decode()
    for delimiter in ",;|\t":
        for row in csv.reader(io.StringIO(out, newline=""), delimiter=delimiter):
            assert not any(cell.strip().startswith(("=", "@")) for cell in row)


def test_without_a_free_delimiter_there_is_no_copy() -> None:
    with pytest.raises(CannotWriteInPlace):
        copied(b"Tel\na;\na,\na|\na\t\nb\nc\nd\ne\nf\ng\nh\n", [], 1)


def test_a_large_file_is_given_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("Tel;Nota\n" + "".join(f"6001{n:05d};{'x' * 30}\n" for n in range(20_000)))
    rows = (AddedRow(row, FOUND, Tone.FOUND) for row in range(2, 20_002))
    pieces = list(OpenText(path, ".csv", 2).copy(rows))
    assert len(pieces) > 3
    assert b"".join(pieces).count(b";Con datos;Movistar\n") == 20_000


ODD = "Nombre;Tel;Población\n"
ACCENTS = "José Muñoz;600123123;Málaga\nBegoña;600123124;León\n"


@pytest.mark.parametrize(
    ("content", "added_cells", "expected"),
    [
        pytest.param(
            (ODD + ACCENTS).encode("cp850"), ["Sí", "Orange"],
            (ODD + ACCENTS).replace("laga", "laga;Sí;Orange").replace("León", "León;Sí;Orange").encode("cp850"),
            id="cp850",
        ),
        pytest.param(
            (ODD + ACCENTS).encode("mac_roman"), ["Łódź", "Sí"],
            (ODD + ACCENTS).replace("laga", "laga;Lódz;Sí").replace("León", "León;Lódz;Sí").encode("mac_roman"),
            id="Mac Roman, without letters that it lacks",
        ),
        pytest.param(
            (ODD + ACCENTS).encode() + b"\xf1;3;\n", ["Sí", "Łódź"],
            (ODD + ACCENTS).replace("laga", "laga;Sí;Łódź").replace("León", "León;Sí;Łódź").encode() + b"\xf1;3;\n",
            id="UTF-8 with a bad byte",
        ),
        pytest.param(
            b'n;t;x\n"a;b";1;"two\nlines"\n"stray;2;"u;v"\n"c;d";3;\n', ["A", "B\\"],
            b'n;t;x\n"a;b";1;"two\nlines";A;B\\\n"stray;2;"u;v";A;B\\\n"c;d";3;\n',
            id="a stray quote among others",
        ),
        pytest.param(
            b"n,t,x\nRuiz\\, Ana,1,u\nGil\\, Leo,2,v\n", ["A", "B\\"],
            b"n,t,x\nRuiz\\, Ana,1,u,A,B\\\\\nGil\\, Leo,2,v,A,B\\\\\n",
            id="backslashes",
        ),
    ],
)  # fmt: skip
def test_odd_text_files_come_back_as_they_were(content: bytes, added_cells: list[AddedCell], expected: bytes) -> None:
    rows = [AddedRow(1, ["X", "Y"], Tone.HEADING), *(AddedRow(row, added_cells, Tone.FOUND) for row in (2, 3))]
    head, _, rest = expected.partition(b"\n")
    delimiter = b"," if b"," in head else b";"
    out = copied(content, rows, 3)
    assert out == head + delimiter + b"X" + delimiter + b"Y\n" + rest
    before, after = read(content), read(out)
    assert [row[:3] for row in after] == before
    assert after[1][3:] == after[2][3:]


@pytest.mark.parametrize("encoding", ["cp1250", "shift_jis", "utf-16-le"])
def test_what_a_person_chose_is_kept_in_the_copy(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("n|a;b\n名|1\n".encode(encoding, "ignore"))
    text = OpenText(path, ".csv", 2, 1, dialect=dialect_of(path, ".csv", TextChoice(encoding, "|")))
    out = b"".join(text.copy(iter([AddedRow(2, ["a|é", 1], Tone.FOUND)])))
    shown = "a|é" if encoding != "shift_jis" else "a|e"
    assert out.decode(encoding).splitlines()[1].endswith(f'1|"{shown}"|1')
