"""Workbooks of support."""
