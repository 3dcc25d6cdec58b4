"""`m2mguard dev`: a local issuer with a web page, for development. Needs the extra `dev` (Starlette, uvicorn) when it runs."""
