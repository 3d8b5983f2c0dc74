import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fastify from 'fastify';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';

export interface Provider {
  readonly issuer: string;
  /** What the next ID token has beside what it must have. */
  claims: Record<string, unknown>;
  /** Signs as the provider does. */
  sign(claims: Record<string, unknown>, audience: string): Promise<string>;
  close(): Promise<void>;
}

/** An OpenID Connect provider on this machine that lets everybody in, and checks PKCE and the client's secret. */
export async function startProvider(clientId: string, secret: string): Promise<Provider> {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const jwk = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256', use: 'sig' };
  const codes = new Map<string, { readonly nonce: string; readonly challenge: string; readonly redirectUri: string }>();
  const server = fastify({ forceCloseConnections: true });
  let issuer = '';
  const sign = (claims: Record<string, unknown>, audience: string): Promise<string> =>
    new SignJWT({ sub: 'ann', email: 'ann@shop.example', ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: 'one' })
      .setIssuer(issuer)
      .setAudience(audience)
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(privateKey);
  const provider = { issuer, claims: {} as Record<string, unknown>, sign, close: () => server.close().then(() => undefined) };
  server.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_, body, done) =>
    done(null, new URLSearchParams(body.toString())),
  );
  server.get('/.well-known/openid-configuration', () => ({
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    jwks_uri: `${issuer}/keys`,
  }));
  server.get('/keys', () => ({ keys: [jwk] }));
  server.get<{ Querystring: Record<string, string> }>('/authorize', ({ query }, reply) => {
    assert.equal(query['client_id'], clientId);
    assert.equal(query['code_challenge_method'], 'S256');
    const code = `code-${codes.size}`;
    const redirectUri = query['redirect_uri'] ?? '';
    codes.set(code, { nonce: query['nonce'] ?? '', challenge: query['code_challenge'] ?? '', redirectUri });
    const back = new URL(redirectUri);
    back.searchParams.set('code', code);
    back.searchParams.set('state', query['state'] ?? '');
    return reply.redirect(back.href, 303);
  });
  server.post('/token', async ({ body, headers }, reply) => {
    const form = body instanceof URLSearchParams ? body : new URLSearchParams();
    const known = codes.get(form.get('code') ?? '');
    codes.delete(form.get('code') ?? '');
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    const basic = `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}`;
    if (
      known === undefined ||
      challenge !== known.challenge ||
      headers.authorization !== basic ||
      form.get('redirect_uri') !== known.redirectUri
    )
      return reply.code(400).send({ error: 'invalid_grant' });
    return reply.send({
      token_type: 'Bearer',
      access_token: 'x',
      id_token: await sign({ nonce: known.nonce, ...provider.claims }, clientId),
    });
  });
  await server.listen({ host: '127.0.0.1', port: 0 });
  const at = server.server.address();
  assert.ok(at !== null && typeof at === 'object');
  issuer = `http://127.0.0.1:${at.port}`;
  return Object.assign(provider, { issuer });
}
