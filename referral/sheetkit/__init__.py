"""Spreadsheets: reading .xlsx and .csv files that people upload, writing exports."""
