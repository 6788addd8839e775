"""Why a file cannot be written in place. Pure: codes, no sentences."""

from enum import StrEnum


class Obstacle(StrEnum):
    """Why a new workbook is written instead of a copy of the person's own."""

    NOT_A_PACKAGE = "not_a_package"  # no workbook of this kind, or a broken one
    ODD_MARKUP = "odd_markup"  # XML with a document type, entities, or a structure no spreadsheet program writes
    SHEET_CHANGED = "sheet_changed"  # the sheet that was read is not where it was
    NO_ROOM = "no_room"  # the added columns would go past Excel's last one
    NO_DELIMITER = "no_delimiter"  # a text file of one column, in which every delimiter occurs
    TOO_LARGE = "too_large"  # more than it declared, or parts too large to change in memory


class CannotWriteInPlace(Exception):
    """This file cannot be written in place. Raised before the first byte of the copy is given."""

    def __init__(self, obstacle: Obstacle, detail: str = "") -> None:
        super().__init__(f"{obstacle.value}: {detail}" if detail else obstacle.value)
        self.obstacle = obstacle
