"""What the testbed knows between two commands."""
