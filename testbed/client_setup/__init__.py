"""What clients need to connect: settings in several formats, and code for known libraries."""
