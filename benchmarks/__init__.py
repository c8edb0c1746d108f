"""Speed, measured: ``python -m benchmarks``. No test depends on a duration; these figures are for people."""
