// An API in Node.js that knows its caller from the signed identity, without any package: node api.mjs [PORT [FORWARD-AUTH-URL]].
import { createPublicKey, verify } from "node:crypto";
import { createServer } from "node:http";

const [port = "8000", forwardAuth = "http://127.0.0.1:9000"] = process.argv.slice(2);
const { keys } = await (await fetch(`${forwardAuth}/m2mguard/jwks.json`)).json();

function callerOf(request) {
  const [header, payload, signature] = (request.headers["x-m2m-identity"] ?? "").split(".");
  const read = (segment) => JSON.parse(Buffer.from(segment, "base64url"));
  try {
    const { alg, typ, kid } = read(header);
    const jwk = keys.find((key) => key.kid === kid);
    if (alg !== "ES256" || typ !== "m2m-identity+jwt" || !jwk) return null;
    const key = { key: createPublicKey({ key: jwk, format: "jwk" }), dsaEncoding: "ieee-p1363" };
    if (!verify("sha256", Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, "base64url"))) return null;
    const claims = read(payload);
    const isForUs = claims.iss === "https://m2mguard.invalid/forward-auth" && claims.aud === "https://shopping.api";
    return isForUs && Date.now() / 1000 < claims.exp ? claims : null;
  } catch {
    return null; // no token at all
  }
}

createServer((request, response) => {
  const caller = callerOf(request);
  response.writeHead(caller ? 200 : 401, { "Content-Type": "application/json" });
  response.end(JSON.stringify(caller ? { hello: caller.client_id, scopes: caller.scope.split(" ") } : { hello: null }));
}).listen(Number(port), "127.0.0.1");
