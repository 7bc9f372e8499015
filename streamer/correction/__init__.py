"""What is done to a still before it is scored: off-web area and slow light; knows no score."""
