"""The part of curl that the quick starts use: `curl -i URL [-H FIELD]`. Prints the status and the JSON of the answer."""

import json
import sys

import urllib3

url, fields = sys.argv[2], dict(field.split(": ", 1) for field in sys.argv[4:])
answer = urllib3.request("GET", url, headers=fields, retries=False, timeout=10)
sys.stdout.write(json.dumps([answer.status, answer.json()]) + "\n")
