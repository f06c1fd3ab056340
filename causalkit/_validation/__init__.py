"""What users give: tables, and single parameters, read and checked in one style of error."""

from causalkit._validation._csv import Csv, as_cell, read_csv
from causalkit._validation._dates import Order, read_dates
from causalkit._validation._mappings import read_mappings, read_yaml
from causalkit._validation._parameters import check_between, check_choice, check_count, check_share
from causalkit._validation._table import (
    Table,
    check_same_index,
    open_frame,
    read_columns,
    read_table,
)
from causalkit._validation._texts import parse_json, read_rows, read_utf8
from causalkit._validation._types import ColumnType, ColumnTypes, Cyclic, Declared, Floats

__all__ = [
    "ColumnType",
    "ColumnTypes",
    "Csv",
    "Cyclic",
    "Declared",
    "Floats",
    "Order",
    "Table",
    "as_cell",
    "check_between",
    "check_choice",
    "check_count",
    "check_same_index",
    "check_share",
    "open_frame",
    "parse_json",
    "read_columns",
    "read_csv",
    "read_dates",
    "read_mappings",
    "read_rows",
    "read_table",
    "read_utf8",
    "read_yaml",
]
