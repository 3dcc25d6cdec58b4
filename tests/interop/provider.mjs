// A real oidc-provider on loopback, for tests. It prints one JSON line when it is ready and ends when its stdin closes.
// Which key signs is the client's choice: the app `orders-es384` gets ES384 tokens, `orders-rs256` RS256 ones, and so on. The secret of
// `billing-es384` has every character that is easily sent wrongly. The first argument is a JSON object: `clients` that authenticate
// without a secret, the public keys of a `platform` whose tokens are exchanged, and the `certificate` and `key` of the server that
// asks clients for certificates of theirs. A person signs in to the app `web` without a page: by "mfa" if the request names it in
// `acr_values`, else by "pwd"; at the time in `login_hint`, else now.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';

import { createLocalJWKSet, jwtVerify } from 'jose';
import { Provider, errors, interactionPolicy } from 'oidc-provider';

const RESOURCE = 'https://shopping.api';
const MCP_SERVER = /^http:\/\/127\.0\.0\.1:\d+\/mcp$/;
const OPAQUE_RESOURCE = 'https://opaque.api'; // its access tokens are opaque
const SCOPES = 'read:orders write:orders';
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const PERSON = 'urn:m2mguard:test:person'; // a grant that gives a person's opaque access token
const ML_DSA = ['ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'];

const signingKey = (alg, type, options) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), alg, use: 'sig',
});
const app = (client_id, characters = '') => ({
  client_id,
  client_secret: characters + randomBytes(24).toString('base64url'),
  grant_types: ['client_credentials', EXCHANGE, PERSON],
  redirect_uris: [],
  response_types: [],
  scope: SCOPES,
});

const web = {
  client_id: 'web',
  client_secret: randomBytes(24).toString('base64url'),
  grant_types: ['authorization_code'],
  redirect_uris: ['https://web.example/callback'],
  response_types: ['code'],
  scope: `openid ${SCOPES}`,
};
const { clients, platform, certificate: cert, key } = JSON.parse(process.argv[2]);
const apps = [
  app('orders-es384'), app('orders-rs256'), app('billing-es384', 'p:a ss/w+%&=~'),
  { ...app('shopping-api'), introspection_signed_response_alg: 'ES384' },
  ...ML_DSA.map((alg) => app(`orders-${alg.toLowerCase()}`)),
];
const policy = interactionPolicy.base();
policy.get('login').checks.add(new interactionPolicy.Check('other_acr', 'the person signed in by other means', (ctx) => {
  const asked = ctx.oidc.params.acr_values?.split(' ') ?? [];
  return asked.length > 0 && !asked.includes(ctx.oidc.session.acr);
}));
const server = createServer();
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;
const tlsServer = createTlsServer({ cert, key, requestCert: true, rejectUnauthorized: false });
await new Promise((resolve) => tlsServer.listen(0, '127.0.0.1', resolve));
const tlsUrl = `https://127.0.0.1:${tlsServer.address().port}`;

const provider = new Provider(issuer, {
  clients: [web, ...apps, ...clients.map((client) => ({ ...app(client.client_id), client_secret: undefined, ...client }))],
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'self_signed_tls_client_auth'],
  enabledJWA: { clientAuthSigningAlgValues: ['RS256', 'PS256', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', ...ML_DSA], introspectionSigningAlgValues: ['ES384', 'RS256'] },
  discovery: { mtls_endpoint_aliases: { token_endpoint: `${tlsUrl}/token` } },
  scopes: ['openid', ...SCOPES.split(' ')],
  acrValues: ['pwd', 'mfa'],
  cookies: { keys: [randomBytes(24).toString('base64url')] },
  findAccount: (ctx, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
  interactions: { policy, url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  extraTokenClaims({ oidc }) {
    const code = oidc.entities.AuthorizationCode;
    return code && { auth_time: code.authTime, acr: code.acr };
  },
  jwks: {
    keys: [
      signingKey('ES384', 'ec', { namedCurve: 'P-384' }), signingKey('RS256', 'rsa', { modulusLength: 2048 }),
      ...ML_DSA.map((alg) => signingKey(alg, alg.toLowerCase())),
    ],
  },
  features: {
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    jwtIntrospection: { enabled: true },
    revocation: { enabled: true },
    devInteractions: { enabled: false },
    dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true },
    mTLS: {
      enabled: true,
      selfSignedTlsClientAuth: true,
      certificateBoundAccessTokens: true,
      getCertificate: (ctx) => ctx.socket.getPeerX509Certificate?.(),
    },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo(ctx, indicator, client) {
        if (indicator === OPAQUE_RESOURCE) return { scope: SCOPES, accessTokenFormat: 'opaque', accessTokenTTL: 600 };
        if (indicator !== RESOURCE && !MCP_SERVER.test(indicator)) throw new errors.InvalidTarget();
        const alg = ['RS256', ...ML_DSA].find((one) => client.clientId.endsWith(one.toLowerCase())) ?? 'ES384';
        return { scope: SCOPES, accessTokenFormat: 'jwt', accessTokenTTL: 600, jwt: { sign: { alg } } };
      },
    },
  },
});
provider.registerGrantType(EXCHANGE, async (ctx) => {
  const { client, params } = ctx.oidc;
  await jwtVerify(params.subject_token, createLocalJWKSet(platform), { audience: issuer }).catch((error) => {
    throw new errors.InvalidGrant(error.code);
  });
  const token = new provider.ClientCredentials({ client, scope: params.scope });
  token.resourceServer = new provider.ResourceServer(RESOURCE, {
    scope: SCOPES, accessTokenFormat: 'jwt', accessTokenTTL: 600, jwt: { sign: { alg: 'ES384' } },
  });
  ctx.body = {
    access_token: await token.save(), token_type: 'Bearer', expires_in: 600, scope: params.scope,
    issued_token_type: params.requested_token_type ?? 'urn:ietf:params:oauth:token-type:access_token',
  };
}, ['subject_token', 'subject_token_type', 'requested_token_type', 'resource', 'scope']);

provider.registerGrantType(PERSON, async (ctx) => {
  const { client } = ctx.oidc;
  const grant = new provider.Grant({ clientId: client.clientId, accountId: 'alice' });
  grant.addResourceScope(OPAQUE_RESOURCE, SCOPES);
  const token = new provider.AccessToken({
    client, accountId: 'alice', grantId: await grant.save(), gty: PERSON, scope: 'read:orders',
  });
  token.resourceServer = new provider.ResourceServer(OPAQUE_RESOURCE, { scope: SCOPES, accessTokenFormat: 'opaque' });
  ctx.body = { access_token: await token.save(), token_type: 'Bearer', expires_in: 600 };
}, []);

const interact = async (request, response) => {
  const { prompt, params, session } = await provider.interactionDetails(request, response);
  let result;
  if (prompt.name === 'login') {
    const acr = params.acr_values?.split(' ').includes('mfa') ? 'mfa' : 'pwd';
    const ts = Number(params.login_hint ?? Math.floor(Date.now() / 1000));
    result = { login: { accountId: 'user-alice', acr, ts } };
  } else {
    const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    grant.addOIDCScope(`openid ${SCOPES}`);
    grant.addResourceScope(RESOURCE, SCOPES);
    result = { consent: { grantId: await grant.save() } };
  }
  await provider.interactionFinished(request, response, result);
};
const answer = provider.callback();
server.on('request', (request, response) => (
  request.url.startsWith('/interaction/') ? interact(request, response) : answer(request, response)
));
tlsServer.on('request', provider.callback());

process.stdin.on('close', () => process.exit(0)).resume();
console.log(JSON.stringify({
  issuer,
  resource: RESOURCE,
  opaque_resource: OPAQUE_RESOURCE,
  clients: Object.fromEntries([web, ...apps].map((client) => [client.client_id, client.client_secret])),
}));
