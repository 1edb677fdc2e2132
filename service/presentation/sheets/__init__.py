"""Answers as cells: fields by name, and tables of them as CSV, XML and workbooks."""
