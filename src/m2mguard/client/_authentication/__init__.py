"""How an application proves to the token endpoint who it is: one file for each way, `proof` for what they have in common.

A way makes a fresh proof for each token request, on the thread of that request, where it may read files and may block.
"""
