"""The types that travel: one module per noun, no behaviour, no I/O.

`UNSET` stands for a key that is absent, `None` for a key that is null; the API tells the two apart.
"""
