"""The policies that ship with Weighbridge, as text, each with its cases beside it."""
