"""The person's own file with cells added to it: everything else in it stays as it is, byte for byte.

Each writer gets the stored original, which sheet, and the added rows, and gives the copy piece by piece, so that a
download starts at once and memory stays flat. Pure: no database, no Flask, no words.

`workbook` puts an xlsx or xlsm together: `package` copies the zip, `sheet_survey` looks at the sheet beforehand,
`sheet_xml` adds the cells, `styles_xml` the few formats that they need, `parts` what must follow (tables, filters,
print areas), `markup` and `cells` are the XML that all of them share. `odd_rows` takes over for a sheet that is not
written as nearly all programs write it, `survey_file` keeps what the look found, `extra_sheet` adds a sheet, and
`column_formats` reads how columns show their values, for a workbook that must be written anew. `drawings` moves what
floats over the answers. `selection` gives some of a workbook's rows, with `shared_strings` for their texts.

`text` adds the cells to a csv or tsv, the room `ods` to a sheet of LibreOffice.
"""
