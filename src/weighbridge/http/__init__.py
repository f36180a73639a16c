"""Transport, and nothing else: requests in, operations called, responses out.

``app.create_app(hub)`` collects the routes of every package here; ``errors.py`` maps every error to a status, once.
"""
