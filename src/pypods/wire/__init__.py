"""What host and worker say to each other: values, documents, frames, messages, channels.

Both sides run this code: standard library only, Python 3.8 and later.
"""

__all__ = ["channel", "documents", "frames", "memory", "messages", "values"]
