"""Stands in for the fits of the study: one ends its process, one never ends."""

import os
import time


def fails(task, is_smoke):
    """What becomes of a fit is in the number of its configuration."""
    if task.configuration == 0:
        os._exit(3)
    time.sleep(600)
