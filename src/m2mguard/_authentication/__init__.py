"""How an application proves to its issuer who it is: one file for each way, `proof` for what they have in common.

A way makes a fresh proof for each request, on the thread of that request, where it may read files and may block. It serves token
requests (`m2mguard.client`) and questions about tokens (`Introspection`).
"""
