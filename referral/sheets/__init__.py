"""Lists of this floor as workbooks."""
