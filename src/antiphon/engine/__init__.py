"""The path from a request to one stream of events, without HTTP or a database.

It translates requests for chat backends, assembles replies, and loops over model and tool calls.
"""
