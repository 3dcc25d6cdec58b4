// openid-client gets a token and calls an API with it: settings come as JSON in the first argument, the answer goes out as JSON.
import * as client from 'openid-client';

const { issuer, appId, appSecret, resource, scope, api } = JSON.parse(process.argv[2]);

const configuration = await client.discovery(new URL(issuer), appId, appSecret, client.ClientSecretBasic(appSecret), {
  execute: [client.allowInsecureRequests], // everything is on loopback
});
const token = await client.clientCredentialsGrant(configuration, { resource, scope });
const answer = await client.fetchProtectedResource(configuration, token.access_token, new URL(api), 'GET');

console.log(JSON.stringify({ granted: token.scope ?? null, expiresIn: token.expires_in, status: answer.status, body: await answer.json() }));
