"""What both hosts share: imports, refused parameters, a model's note, checkpoints."""
