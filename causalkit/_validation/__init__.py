"""What users give: tables, and single parameters, read and checked in one style of error."""

from causalkit._validation._parameters import check_between, check_choice, check_count, check_share
from causalkit._validation._table import (
    ColumnType,
    ColumnTypes,
    Cyclic,
    Declared,
    Floats,
    Table,
    check_same_index,
    open_frame,
    read_columns,
    read_table,
)

__all__ = [
    "ColumnType",
    "ColumnTypes",
    "Cyclic",
    "Declared",
    "Floats",
    "Table",
    "check_between",
    "check_choice",
    "check_count",
    "check_same_index",
    "check_share",
    "open_frame",
    "read_columns",
    "read_table",
]
