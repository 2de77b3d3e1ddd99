"""The benchmark of quality: problems × methods → run → report."""
