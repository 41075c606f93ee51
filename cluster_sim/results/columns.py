"""What columns of results tables are made of: a name, a type, a unit and a meaning."""

import pyarrow as pa

TEXT, FLOAT, INT = pa.string(), pa.float64(), pa.int64()


def column(name: str, kind: pa.DataType, unit: str, meaning: str) -> pa.Field:
    """A field that says its unit and meaning in its metadata."""
    return pa.field(name, kind, metadata={"unit": unit, "meaning": meaning})


SCENARIO = column("scenario", TEXT, "", "job / interconnect / topology")
