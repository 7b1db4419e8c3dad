"""What the calls of a day came to: for the owner's page, as text, and as trends for developers."""
