"""The parts of `benches/comparison.py`: what is measured, against what, and the table."""
