"""The part of curl that the pages use: `curl -i URL [-H FIELD]… [-d BODY]`. Prints the status and the JSON of the answer."""

import argparse
import json
import sys

import urllib3

parser = argparse.ArgumentParser()
parser.add_argument("-i", action="store_true")
parser.add_argument("-H", action="append", default=[])
parser.add_argument("-d")
parser.add_argument("url")
given = parser.parse_args()
fields = dict(field.split(": ", 1) for field in given.H)
method = "GET" if given.d is None else "POST"
answer = urllib3.request(method, given.url, headers=fields, body=given.d, retries=False, timeout=10)
sys.stdout.write(json.dumps([answer.status, answer.json()]) + "\n")
