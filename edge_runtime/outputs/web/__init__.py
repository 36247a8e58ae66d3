"""The live page (extra `web`). Only `server` and what it imports need starlette and uvicorn; `config` does not. It only
reads: it never changes anything on the device.
"""
