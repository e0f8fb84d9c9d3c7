"""Writing in steps into SQL systems without transactions."""

__all__ = ["database", "session", "staging", "journal"]
