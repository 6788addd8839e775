"""A text file is read as its author sees it: whatever its encoding, with stray quotes, ragged rows and escapes."""

from pathlib import Path

import pytest

from portal.documents.reader.csv_text import ONE_COLUMN, TextChoice, dialect_of, read_rows

PEOPLE = "Nombre;Teléfono;Población\nJosé Muñoz;612345678;Málaga\nBegoña Núñez;698765432;A Coruña\n"
ITALIAN = "Nome;Città\nPaolò Però;Forlì\nLucìa È;Cantù\n"
FRENCH = "Prénom;Téléphone;Âge\nFrançoise Lefèvre;0612345678;8½\nÉmile Noël;0698765432;Île d’Yeu\n"
PORTUGUESE = "Nome;Telemóvel\nJoão Conceição;912345678\nInês Simões;934567890\n"
GERMAN = "Name;Größe\nJürgen Müller;Straße\nÄnne Köß;Übung\n"
GREEK = "Όνομα;Τηλέφωνο\nΓιώργος Παπαδόπουλος;6912345678\nΕλένη;6987654321\n"
EUROS = "Nombre;Importe\nAna;12 €\nLuis;1.300 €\n"


def rows_of(path: Path, content: bytes, name: str = "a.csv", choice: TextChoice | None = None) -> list[list[str]]:
    path = path / name
    path.write_bytes(content)
    return list(read_rows(path, dialect_of(path, path.suffix, choice or TextChoice())))


def cells(text: str) -> list[list[str]]:
    return [line.split(";") for line in text.splitlines()]


@pytest.mark.parametrize("text", [PEOPLE, ITALIAN, FRENCH, PORTUGUESE, GERMAN])
@pytest.mark.parametrize("encoding", ["cp1252", "cp850", "mac_roman", "iso8859-15"])
def test_western_letters_are_read_in_the_encoding_that_makes_words(tmp_path: Path, text: str, encoding: str) -> None:
    written = text.encode(encoding, "replace")  # ½ and ’ are not in all of them
    assert rows_of(tmp_path, written) == cells(written.decode(encoding))


@pytest.mark.parametrize("encoding", ["iso8859-7", "cp1253"])
def test_greek_letters(tmp_path: Path, encoding: str) -> None:
    assert rows_of(tmp_path, GREEK.encode(encoding)) == cells(GREEK)


@pytest.mark.parametrize("encoding", ["cp1252", "iso8859-15"])
def test_a_sign_of_money_is_told_from_its_numbers(tmp_path: Path, encoding: str) -> None:
    assert rows_of(tmp_path, EUROS.encode(encoding)) == cells(EUROS)


@pytest.mark.parametrize(("bad", "meant"), [(b"\xf3", "ó"), (b"\x80", "€"), (b"\x81", "\ufffd"), (b"\xe9\xe9", "éé")])
def test_bad_bytes_in_utf8_spoil_themselves_only(tmp_path: Path, bad: bytes, meant: str) -> None:
    read = rows_of(tmp_path, PEOPLE.encode() + b"Ram" + bad + b"n;611223344;Le\xc3\xb3n\n")
    assert read == [*cells(PEOPLE), [f"Ram{meant}n", "611223344", "León"]]


def test_a_byte_that_is_cut_off_at_the_end_of_utf8(tmp_path: Path) -> None:
    assert rows_of(tmp_path, PEOPLE.encode() + b"Ana;1;M\xc3")[-1] == ["Ana", "1", "MÃ"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16(tmp_path: Path, encoding: str) -> None:
    assert rows_of(tmp_path, GREEK.encode(encoding)) == cells(GREEK)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('n,t,x\n"a, b",1,"u"\n"c" d,2,"v, w"\n"e, f",3,"y"\n',
         [["n", "t", "x"], ["a, b", "1", "u"], ['"c" d', "2", "v, w"], ["e, f", "3", "y"]]),
        ('n;t;x\n"Ruiz; A";1;u\n"Soto;2;v\n"Gil; B";3;"w"\n',
         [["n", "t", "x"], ["Ruiz; A", "1", "u"], ['"Soto', "2", "v"], ["Gil; B", "3", "w"]]),
        ('n;t\n"two\nlines";1\n"stray;2\n"two\nmore";3\n"d ""q"" d";4\n',
         [["n", "t"], ["two\nlines", "1"], ['"stray', "2"], ["two\nmore", "3"], ['d "q" d', "4"]]),
        ('n;t\n"one;1\nb;2\nc";3\n"d;e";4\n"f;5\n',
         [["n", "t"], ['"one', "1"], ["b", "2"], ['c"', "3"], ["d;e", "4"], ['"f', "5"]]),
        ('n;t\n"a;x";1\n"b";2;"\n', [["n", "t"], ["a;x", "1"], ["b", "2", '"']]),
    ],
    ids=["text behind a quote", "never closed", "beside cells of two lines", "two that are far apart", "at the end"],
)  # fmt: skip
def test_a_stray_quote_spoils_its_own_line_only(tmp_path: Path, text: str, expected: list[list[str]]) -> None:
    assert rows_of(tmp_path, text.encode()) == expected


def test_many_stray_quotes_in_a_long_file_take_no_longer(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, b'n;t\n"a;b";0\n' + b'"stray;1\n' * 20_000)
    assert len(rows) == 20_002
    assert rows[-1] == ['"stray', "1"]


@pytest.mark.parametrize("long", ["QUJD" * 250_000, "é" * 500_000], ids=["ASCII", "letters"])
def test_a_long_word_is_judged_in_one_go(tmp_path: Path, long: str) -> None:
    content = f"Año;foto;t\nMuñoz;{long};1\n".encode("cp1252")
    assert [row[0] for row in rows_of(tmp_path, content)] == ["Año", "Muñoz"]


def test_a_space_before_a_quote(tmp_path: Path) -> None:
    text = 'n, t, x\n"a, b", "612345678", "u, v"\n"c, d", "698765432", "w"\n'
    assert rows_of(tmp_path, text.encode())[1:] == [["a, b", "612345678", "u, v"], ["c, d", "698765432", "w"]]


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
def test_rows_of_many_widths_are_split(tmp_path: Path, delimiter: str) -> None:
    widths = [7, 2, 3, 5, 4, 6, 2, 3, 7, 5]
    lines = [[f"c{column}" for column in range(width)] for width in widths]
    assert rows_of(tmp_path, "\n".join(map(delimiter.join, lines)).encode()) == lines


def test_prose_in_one_column_is_not_split(tmp_path: Path) -> None:
    text = "Nota\nllamar, luego ver\nuna, dos, tres\nsi, no, puede, ser\n612345678\nsin coma\n"
    assert rows_of(tmp_path, text.encode()) == [[line] for line in text.splitlines()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n,t,x\nRuiz\\, A,1,u\nGil\\, L,2,v\n", [["n", "t", "x"], ["Ruiz, A", "1", "u"], ["Gil, L", "2", "v"]]),
        ('n,t\n"a \\"b\\", c",1\n"d",2\n', [["n", "t"], ['a "b", c', "1"], ["d", "2"]]),
        ("n;t\nC:\\;1\nD:\\;2\n", [["n", "t"], ["C:\\", "1"], ["D:\\", "2"]]),
        ("n;t\na\\b;1\nc\\n;2\n", [["n", "t"], ["a\\b", "1"], ["c\\n", "2"]]),
    ],
    ids=["delimiter", "quote", "a folder", "no escape"],
)  # fmt: skip
def test_a_backslash_escapes_where_that_keeps_the_columns(tmp_path: Path, text: str, expected: list[list[str]]) -> None:
    assert rows_of(tmp_path, text.encode()) == expected


OTHER_SCRIPTS = {
    "shift_jis euc_jp": "氏名;電話番号;住所\n山田太郎;090-1234-5678;東京都新宿区\n佐藤花子;03-1234-5678;ヨコハマ市\n",
    "euc_kr": "이름;전화번호;주소\n김철수;010-1234-5678;서울특별시\n이영희;02-123-4567;부산광역시\n",
    "gb18030": "姓名;电话号码;地址\n张伟;13812345678;北京市海淀区\n李娜;13912345678;上海市浦东新区\n",
    "big5": "姓名;電話號碼;地址\n陳大文;0912345678;台北市信義區\n林小美;0223456789;高雄市\n",
    "cp1251": "Имя;Телефон;Город\nИван Петров;+79161234567;Москва\nМария Иванова;1;Казань\n",
    "cp1253": "Όνομα;Τηλέφωνο\nΆννα Νικολάου;2101234567\nΓιώργος;6941234567\n",
}


@pytest.mark.parametrize("encodings", OTHER_SCRIPTS)
def test_the_encodings_of_other_scripts_are_recognised(tmp_path: Path, encodings: str) -> None:
    text = OTHER_SCRIPTS[encodings]
    for encoding in encodings.split():
        rows = rows_of(tmp_path, text.encode(encoding))
        assert rows == [line.split(";") for line in text.splitlines()], encoding


def test_what_a_person_chooses_is_taken(tmp_path: Path) -> None:
    content = PEOPLE.encode("cp1252")
    assert rows_of(tmp_path, content, choice=TextChoice("cp1250", ""))[1][0] == "José Muńoz"
    assert rows_of(tmp_path, content, choice=TextChoice("", ","))[1] == ["José Muñoz;612345678;Málaga"]
    assert rows_of(tmp_path, content, choice=TextChoice("", ONE_COLUMN))[0] == ["Nombre;Teléfono;Población"]
    assert rows_of(tmp_path, "名前;電話\n".encode("shift_jis"), choice=TextChoice("shift_jis", ";")) == [
        ["名前", "電話"]
    ]
    assert dialect_of(tmp_path / "a.csv", ".csv", TextChoice("cp850", "|")).encoding == "cp850"
