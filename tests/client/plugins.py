"""One call with each HTTP plug-in; all functions take the same arguments."""

import asyncio

import aiohttp
import httpx2
import requests

from m2mguard.client.aiohttp import TokenMiddleware
from m2mguard.client.httpx2 import TokenAuth as Httpx2TokenAuth
from m2mguard.client.requests import TokenAuth as RequestsTokenAuth


def with_httpx2(source, api_url, method, url, *, headers=None, body=None):
    auth = Httpx2TokenAuth(source, api_url)
    with httpx2.Client(auth=auth, follow_redirects=True) as client:
        answer = client.request(method, url, headers=headers, content=body)
        return answer.status_code, answer.content


def with_httpx2_async(source, api_url, method, url, *, headers=None, body=None):
    async def streamed():
        for part in body:
            yield part

    async def send():
        auth = Httpx2TokenAuth(source, api_url)
        async with httpx2.AsyncClient(auth=auth, follow_redirects=True) as client:
            content = body if isinstance(body, bytes | None) else streamed()
            answer = await client.request(method, url, headers=headers, content=content)
            return answer.status_code, answer.content

    return asyncio.run(send())


def with_requests(source, api_url, method, url, *, headers=None, body=None):
    with requests.Session() as session:
        session.auth = RequestsTokenAuth(source, api_url)
        answer = session.request(method, url, headers=headers, data=body, timeout=10)
        return answer.status_code, answer.content


def with_aiohttp(source, api_url, method, url, *, headers=None, body=None):
    async def streamed():
        for part in body:
            yield part

    async def send():
        middleware = TokenMiddleware(source, api_url)
        async with aiohttp.ClientSession(middlewares=[middleware]) as session:
            data = body if isinstance(body, bytes | None) else streamed()
            async with session.request(method, url, headers=headers, data=data) as answer:
                return answer.status, await answer.read()

    return asyncio.run(send())


PLUGINS = [with_httpx2, with_httpx2_async, with_requests, with_aiohttp]
