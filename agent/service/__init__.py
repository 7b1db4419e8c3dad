"""What runs beside the calls: the Asterisk instances, Redis, the agent and its watchdog."""
