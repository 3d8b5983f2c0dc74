import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Viewer } from '../viewer.ts';
import { cookieIn, setCookie } from './cookies.ts';
import { loginDocument, signedInDocument } from './login.ts';
import { type Oidc, SignInRefused } from './oidc.ts';
import type { Seal } from './sealed.ts';
import type { TokenTable } from './tokens.ts';

export interface GateOptions {
  /** As it is now: the file may change. Undefined: there are no tokens. */
  readonly tokens: (() => TokenTable) | undefined;
  readonly oidc: Oidc | undefined;
  readonly seal: Seal;
  /** Browsers reach us over TLS. */
  readonly secure: boolean;
  readonly stylesheet: string;
  /** What went wrong at a provider; never has a token in it. */
  readonly complain: (error: unknown) => void;
}

export interface Gate {
  /** Who asks; only for requests that the gate let in. */
  readonly viewerOf: (request: FastifyRequest) => Viewer;
}

const SESSION_S = 8 * 3600;
const ATTEMPT_S = 600;
/** What a cookie may hold (RFC 6265, section 6.1). */
const MOST_COOKIE = 4_000;
const NOBODY: Viewer = Object.freeze({ name: 'nobody', namespaces: new Set<string>() });

function isPublic(url: string): boolean {
  const path = url.split('?', 1)[0] ?? '';
  return path === '/login' || path === '/auth/start' || path === '/auth/callback' || path.startsWith('/assets/');
}

/** A form of ours sent it. Browsers tell so; whoever does not tell is no browser, and has no cookie to misuse, but is refused. */
function isOwnForm({ headers }: FastifyRequest): boolean {
  const { origin, host } = headers;
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin') return false;
  if (origin === undefined) return site === 'same-origin';
  return URL.canParse(origin) && new URL(origin).host === host;
}

function namespacesOf(text: unknown): Viewer['namespaces'] {
  return text === '*' ? 'all' : new Set(Array.isArray(text) ? text.filter((one) => typeof one === 'string') : []);
}

/** Lets in who shows a token or a session, and makes sessions of tokens and of sign-ins at a provider. */
export function addGate(app: FastifyInstance, { tokens, oidc, seal, secure, stylesheet, complain }: GateOptions): Gate {
  const viewers = new WeakMap<FastifyRequest, Viewer>();
  // With the prefix no other host of the domain can set it (RFC 6265bis, section 4.1.3.2).
  const session = secure ? '__Host-gatehouse' : 'gatehouse';
  const attempt = 'gatehouse-sign-in';

  const identify = async ({ headers }: FastifyRequest): Promise<Viewer | undefined> => {
    const [, bearer] = /^Bearer ([\w.~+/=-]+)$/i.exec(headers.authorization ?? '') ?? [];
    if (bearer !== undefined) return tokens?.().find(bearer)?.viewer ?? (await oidc?.bearer(bearer).catch(() => undefined));
    if (headers.authorization !== undefined) return undefined;
    const cookie = cookieIn(headers.cookie, session);
    const content = cookie === undefined ? undefined : await seal.open('session', cookie);
    if (content === undefined) return undefined;
    const token = content.get('token');
    if (typeof token === 'string') return tokens?.().byId(token);
    const name = content.get('name');
    return typeof name === 'string' && oidc !== undefined
      ? { name, namespaces: namespacesOf(content.get('namespaces')) }
      : undefined;
  };
  const page = (reply: FastifyReply, status: number, html: string): FastifyReply =>
    reply.code(status).type('text/html; charset=utf-8').header('cache-control', 'no-store').send(html);
  const login = (reply: FastifyReply, status: number, problem: string | undefined): FastifyReply =>
    page(
      reply,
      status,
      loginDocument({ stylesheet, withToken: tokens !== undefined, withProvider: oidc !== undefined, problem }),
    );
  const keep = async (reply: FastifyReply, content: Readonly<Record<string, unknown>>): Promise<boolean> => {
    const value = await seal.seal('session', content, SESSION_S);
    if (value.length > MOST_COOKIE) return false;
    reply.header('set-cookie', setCookie(session, value, { secure, sameSite: 'Strict', path: '/', seconds: SESSION_S }));
    return true;
  };

  app.addHook('onRequest', async (request, reply) => {
    if (request.method !== 'GET' && request.method !== 'HEAD' && !isOwnForm(request))
      return reply.code(403).send({ error: 'only forms of this page may send this' });
    if (isPublic(request.url)) return undefined;
    const viewer = await identify(request);
    if (viewer !== undefined) {
      viewers.set(request, viewer);
      return undefined;
    }
    if (/\btext\/html\b/.test(request.headers.accept ?? '')) return reply.redirect('/login', 303);
    return reply
      .code(401)
      .headers({ 'www-authenticate': 'Bearer', 'cache-control': 'no-store' })
      .send({ error: 'this needs a token (Authorization: Bearer) or a session (/login)' });
  });
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_, body, done) =>
    done(null, new URLSearchParams(body.toString())),
  );

  app.get('/login', (_, reply) => login(reply, 200, undefined));
  app.post('/login', async ({ body }, reply) => {
    const token = body instanceof URLSearchParams ? (body.get('token') ?? '') : '';
    const found = tokens?.().find(token.trim());
    if (found === undefined) return login(reply, 401, 'This token is not known.');
    try {
      await keep(reply, { token: found.id });
    } catch (error) {
      complain(error);
      return login(reply, 503, 'Nobody can sign in now: the keys of sessions cannot be read.');
    }
    return reply.redirect('/', 303);
  });
  app.post('/logout', (_, reply) =>
    reply
      .header('set-cookie', setCookie(session, '', { secure, sameSite: 'Strict', path: '/', seconds: 0 }))
      .redirect('/login', 303),
  );
  if (oidc !== undefined) addProvider(oidc);
  return { viewerOf: (request) => viewers.get(request) ?? NOBODY };

  function addProvider(provider: Oidc): void {
    app.get('/auth/start', async (_, reply) => {
      try {
        const { url, attempt: content } = await provider.begin();
        // It comes back from another site, so this one cookie must come with it.
        const value = await seal.seal('sign-in', { ...content }, ATTEMPT_S);
        const cookie = setCookie(attempt, value, { secure, sameSite: 'Lax', path: '/auth/callback', seconds: ATTEMPT_S });
        return await reply.header('set-cookie', cookie).redirect(url.href, 303);
      } catch (error) {
        complain(error);
        return login(reply, 502, 'The identity provider cannot be asked now.');
      }
    });
    app.get<{ Querystring: Readonly<Record<string, unknown>> }>('/auth/callback', async ({ headers, query }, reply) => {
      const content = await seal.open('sign-in', cookieIn(headers.cookie, attempt) ?? '');
      const [state, nonce, verifier] = ['state', 'nonce', 'verifier'].map((name) => content?.get(name));
      const { code } = query;
      if (typeof state !== 'string' || typeof nonce !== 'string' || typeof verifier !== 'string' || query['state'] !== state)
        return login(reply, 400, 'This sign-in was not begun here, or took too long.');
      if (typeof code !== 'string') return login(reply, 403, 'The identity provider refused.');
      try {
        const viewer = await provider.complete(code, { state, nonce, verifier });
        const namespaces = viewer.namespaces === 'all' ? '*' : [...viewer.namespaces];
        if (!(await keep(reply, { name: viewer.name, namespaces })))
          return await login(reply, 403, 'The token names too many namespaces.');
        // A redirect would still count as coming from the provider's site, without our session.
        return await page(reply, 200, signedInDocument(stylesheet));
      } catch (error) {
        complain(error);
        return login(
          reply,
          403,
          error instanceof SignInRefused ? `Refused: ${error.message}.` : 'The token of the identity provider is not valid.',
        );
      }
    });
  }
}
