"""Workbooks in Excel's older formats, xls and xlsb, written again as xlsx: what is read, and the base to which answers
are added. So are web pages and XML of Excel 2003 that are called workbooks.

Runs in the reading process only, as a hostile file may harm it. `xls`, `xlsb`, `html_tables` and `xml_2003` read a file
as an `OldWorkbook`, `package` writes one; `convert` chooses. Kept are the sheets with their names, order and
visibility, values, formats, looks, merged cells, widths, heights, hidden rows and columns, and frozen panes. Formulas
keep their last results.
"""
