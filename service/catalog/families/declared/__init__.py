"""What a checkpoint declares of its quantization."""
