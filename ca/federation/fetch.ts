import type { X509Certificate } from 'node:crypto';
import { type Agent as HttpsAgent, request, type RequestOptions } from 'node:https';
import { isIP } from 'node:net';
import type { PeerCertificate } from 'node:tls';
import { LARGEST_BUNDLE, parseSpiffeBundle, type SpiffeBundle } from '../bundle/spiffe-bundle.ts';
import { parsed, refused, type Parsed } from '../identity/parsed.ts';
import { parseSpiffeId, type SpiffeId } from '../identity/spiffe-id.ts';

/** What authenticates the server, as it is known at this moment. */
export type EndpointTrust =
  | { readonly kind: 'web'; readonly rootsPem: string | undefined }
  | { readonly kind: 'spiffe'; readonly endpointId: SpiffeId; readonly roots: readonly X509Certificate[] };

export interface Fetched {
  readonly bundle: SpiffeBundle;
  /** As it was served. */
  readonly text: string;
}

export type FetchBundle = (url: string, trust: EndpointTrust) => Promise<Parsed<Fetched>>;

const TIMEOUT_MS = 10_000;

/** Fetches a bundle once, from a server that proved who it is. No redirects: another host would be another authority. Never rejects. */
export const fetchBundle: FetchBundle = async (url, trust) => {
  if (trust.kind === 'spiffe' && trust.roots.length === 0)
    return refused('there are no roots to check the server against (give bundle=FILE to begin with)');
  const text = await get(url, tlsOptions(new URL(url).hostname, trust));
  if (!text.ok) return text;
  const bundle = parseSpiffeBundle(text.value);
  return bundle.ok ? parsed({ bundle: bundle.value, text: text.value }) : bundle;
};

function tlsOptions(host: string, trust: EndpointTrust): RequestOptions {
  const name = host.replace(/^\[|\]$/g, '');
  // Server Name Indication has no addresses (RFC 6066, section 3).
  const servername = isIP(name) === 0 ? name : '';
  const common = { minVersion: 'TLSv1.2', rejectUnauthorized: true, servername } as const;
  if (trust.kind === 'web') return { ...common, ...(trust.rootsPem !== undefined && { ca: trust.rootsPem }) };
  return {
    ...common,
    ca: trust.roots.map(String),
    // A bundle's authorities are trust anchors, whoever signed them.
    allowPartialTrustChain: true,
    checkServerIdentity: (_, certificate) => wrongServer(certificate, trust.endpointId),
  };
}

/** X.509-SVID, section 5.2, and SPIFFE Federation, section 5.2.2: exactly the endpoint's SPIFFE ID, in a leaf. */
function wrongServer(certificate: PeerCertificate, endpointId: SpiffeId): Error | undefined {
  // Values that could be mistaken for another name are quoted, and are no SPIFFE ID then.
  const uris = (certificate.subjectaltname ?? '').split(', ').filter((name) => name.startsWith('URI:'));
  const [uri, extra] = uris;
  if (certificate.ca) return new Error('the server presents a CA certificate');
  if (uri === undefined) return new Error('the server presents no SPIFFE ID');
  if (extra !== undefined) return new Error('the server presents more than one URI name');
  const id = parseSpiffeId(uri.slice('URI:'.length));
  if (!id.ok) return new Error('the server presents a name that is no SPIFFE ID');
  return id.value === endpointId ? undefined : new Error(`the server is ${id.value}, expected was ${endpointId}`);
}

function get(url: string, tls: RequestOptions): Promise<Parsed<string>> {
  return new Promise((resolve) => {
    const fail = (why: string): void => resolve(refused(why));
    // Not pooled: each fetch authenticates the server anew, against the roots of its moment.
    const agent: HttpsAgent | false = false;
    const sent = request(url, { ...tls, agent, method: 'GET', headers: { accept: 'application/json' } }, (response) => {
      if (response.statusCode !== 200) {
        sent.destroy();
        return fail(`the answer was status ${String(response.statusCode)}`);
      }
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > LARGEST_BUNDLE) sent.destroy(new Error('the bundle is larger than 1 MiB'));
        else chunks.push(chunk);
      });
      response.on('error', (error) => fail(error.message));
      response.on('aborted', () => fail('the answer was cut off'));
      response.on('end', () => resolve(parsed(Buffer.concat(chunks).toString('utf8'))));
    });
    const timer = setTimeout(() => sent.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)), TIMEOUT_MS);
    sent.on('error', (error) => fail(error.message));
    sent.on('close', () => clearTimeout(timer));
    sent.end();
  });
}
