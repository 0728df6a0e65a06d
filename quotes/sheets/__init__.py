"""Workbooks of quotes and orders: the orders of a year, lists as they are filtered."""
