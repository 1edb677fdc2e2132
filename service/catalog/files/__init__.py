"""Models from the headers of their files: every tensor with the bytes that it really has."""
