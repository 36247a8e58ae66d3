"""The live page (extra `web`). Only `server` and what it imports need starlette and uvicorn; `config` does not. Never
changes anything on the device: it reads.
"""
