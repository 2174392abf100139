"""Wire types of the API, with one module per noun, and without behavior or I/O.

`UNSET` is an absent key and `None` is a null key, because the API distinguishes the two. For the meaning of
fields see https://platform.openai.com/docs/api-reference.
"""
