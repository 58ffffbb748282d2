"""The embedded stack: a real Kafka and a real Postgres without Docker, the process supervisor and the `paybill` command."""

__all__ = ["StackError"]


class StackError(RuntimeError):
    """Something about the local stack is wrong; the message says what, where and what to do."""
