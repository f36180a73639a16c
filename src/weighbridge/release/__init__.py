"""A release from putting forward to publication, and its withdrawal. Calls the rooms below in order.

The web side puts forward and asks (``candidate``, ``requests``, ``view``, ``queue``); the worker side works
(``workflow`` orders the stages of ``inspect_stage`` … ``publish_stage``, ``transition`` opens, ``approval`` signs).
"""
