"""Simulated venues behind a real exchange's wire protocol.

``running.start_in_thread(config)`` serves them inside a test, ``manage.py simulate`` in a process.
REST origin of a venue: ``http://HOST:PORT/CODE``; WebSocket origin: ``ws://HOST:PORT/CODE``.
"""
