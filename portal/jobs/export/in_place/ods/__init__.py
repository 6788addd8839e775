"""An ods with cells added to one sheet: `content.xml` is changed as it streams, all other entries keep their bytes.

`content` takes the XML apart around the sheet, `survey` looks at its rows beforehand, `rows` puts cells into them,
`cells` writes those, `columns`, `styles`, `ranges` and `tables` are what must follow; `workbook` puts all together.
Format: OpenDocument 1.3 part 3, sections 9 (tables), 16 (styles) and 19 (attributes).
"""
