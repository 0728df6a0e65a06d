"""Workbooks of the warranty floor."""
