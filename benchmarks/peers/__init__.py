"""What we measure ourselves against, each in processes and environments of its own."""

__all__ = ["original", "original_host", "ping_pong"]
