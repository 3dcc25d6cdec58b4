"""`m2mguard forward-auth`: an endpoint for proxies. Needs the extra `forward-auth` (uvicorn) when it runs."""
