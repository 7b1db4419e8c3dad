"""The owner's page: a day, a call, the developer's trends. Served on loopback only."""
