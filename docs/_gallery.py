"""What the gallery types when it executes an example."""

from pathlib import Path
from tempfile import gettempdir
from typing import Any


def arguments(gallery_conf: dict[str, Any], script_vars: dict[str, Any]) -> list[str]:
    """Return the command line of an example: the main job in a size for a page."""
    if Path(script_vars["src_file"]).stem != "fraud_detection":
        return []
    size = ["--rows", "60000", "--imbalance", "200", "--rounds", "100"]
    picture = Path(gettempdir()) / "fraud_detection.png"
    return [*size, "--threads", "1", "--picture", str(picture)]
