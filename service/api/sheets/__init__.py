"""Spreadsheets: single cells, tables by suffix, batches of rows, and ready files."""
