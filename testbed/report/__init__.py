"""A run as a reader wants it: on the terminal, as JSON, as one HTML page, as JUnit XML. Rendering only."""
