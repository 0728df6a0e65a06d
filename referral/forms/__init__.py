"""The forms of the ground floor, one file per document; a form's fields are what its operation takes."""
