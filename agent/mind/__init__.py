"""The mind: understands freely, can only say what is true."""
