"""The parts of the full programme, and the table of what they found."""
