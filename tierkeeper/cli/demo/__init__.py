"""What ``tierkeeper demo`` stores and shows."""
