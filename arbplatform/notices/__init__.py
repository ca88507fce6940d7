"""Tells people what needs them: alarms, the channels that carry them, and what waits to be sent."""
