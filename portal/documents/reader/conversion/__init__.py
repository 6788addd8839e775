"""Workbooks in Excel's older formats, xls and xlsb, written again as xlsx: the base to which answers are added.

Runs in the reading process only, as a hostile file may harm it. `xls` and `xlsb` read a file as an `OldWorkbook`,
`package` writes one; `convert` chooses. Kept are the sheets with their names, order and visibility, values, formats,
looks, merged cells, widths, heights, hidden rows and columns, and frozen panes. Formulas keep their last results.
"""
