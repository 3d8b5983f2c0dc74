import { lookup as systemLookup } from 'node:dns';
import { get as httpGet, type IncomingMessage } from 'node:http';
import { get as httpsGet } from 'node:https';
import { BlockList, isIP, isIPv6, type LookupFunction } from 'node:net';
import { parsed, refused, type Parsed } from '../../../ca/identity/parsed.ts';
import type { GetDocument } from '../../../policy/jwks/fetch.ts';

export interface Place {
  readonly address: string;
  readonly port: number;
}

/** Where a host of the mesh is to be found; undefined for one that DNS knows. */
export type FindInMesh = (hostname: string, port: number) => Place | undefined;

const LARGEST = 1024 * 1024;
const MOST_REDIRECTS = 5;

/** Link-local addresses: clouds give credentials to whoever asks there (169.254.169.254), and no key set is. */
const FORBIDDEN = new BlockList();
FORBIDDEN.addSubnet('169.254.0.0', 16, 'ipv4');
FORBIDDEN.addSubnet('fe80::', 10, 'ipv6');

/** True for addresses that key sets are never fetched from; IPv4 written as IPv6 included. */
export function isForbidden(address: string): boolean {
  const plain = address.replace(/%.*$/, '');
  return FORBIDDEN.check(plain, isIPv6(plain) ? 'ipv6' : 'ipv4');
}

const carefulLookup: LookupFunction = (hostname, options, callback) => {
  systemLookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return callback(error, '');
    const allowed = addresses.filter(({ address }) => !isForbidden(address));
    const [first] = allowed;
    if (first === undefined) return callback(new Error('it has link-local addresses only'), '');
    if (options.all === true) callback(null, allowed);
    else callback(null, first.address, first.family);
  });
};

type Answer = { readonly kind: 'redirect'; readonly to: string } | { readonly kind: 'done'; readonly document: Parsed<string> };

function bodyOf(response: IncomingMessage, give: (answer: Parsed<string>) => void): void {
  const chunks: Buffer[] = [];
  let size = 0;
  response.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > LARGEST) give(refused('the answer is larger than 1 MiB'));
    else chunks.push(chunk);
  });
  response.on('end', () => give(parsed(Buffer.concat(chunks).toString('utf8'))));
  response.on('error', (error) => give(refused(error.message)));
  response.on('aborted', () => give(refused('the answer ended early')));
}

function once(url: URL, findInMesh: FindInMesh, timeoutMs: number): Promise<Answer> {
  const secure = url.protocol === 'https:';
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (isIP(host) !== 0 && isForbidden(host))
    return Promise.resolve({ kind: 'done', document: refused('link-local addresses are not asked') });
  const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port);
  const place = isIP(host) === 0 ? findInMesh(host, port) : undefined;
  return new Promise((resolve) => {
    const give = (answer: Answer): void => {
      clearTimeout(timer);
      request.destroy();
      resolve(answer);
    };
    const done = (document: Parsed<string>): void => give({ kind: 'done', document });
    const options = {
      agent: false as const,
      lookup: carefulLookup,
      // A server may offer keys as the latter only (RFC 7517, section 8.5), as Kubernetes does.
      headers: { accept: 'application/json, application/jwk-set+json', host: url.host },
      ...(place === undefined ? {} : { hostname: place.address, port: place.port }),
      ...(secure ? { minVersion: 'TLSv1.2' as const, ...(isIP(host) === 0 ? { servername: host } : {}) } : {}),
    };
    const request = (secure ? httpsGet : httpGet)(url, options, (response) => {
      const { statusCode = 0, headers } = response;
      if (statusCode >= 300 && statusCode < 400 && headers.location !== undefined)
        return give({ kind: 'redirect', to: headers.location });
      if (statusCode !== 200) return done(refused(`the answer is ${statusCode}`));
      return bodyOf(response, done);
    });
    const timer = setTimeout(() => done(refused('no answer in time')), timeoutMs);
    request.on('error', (error: NodeJS.ErrnoException) =>
      done(refused(error.message === '' ? (error.code ?? 'no connection') : error.message)),
    );
  });
}

/**
 * GET over http or https, of at most 1 MiB, within a time that covers redirects too. Redirects never lead from https to http.
 * Servers of https are verified by the roots of Node.js (and NODE_EXTRA_CA_CERTS).
 */
export function httpDocument(findInMesh: FindInMesh, now: () => number = () => performance.now()): GetDocument {
  return async (first, timeoutMs) => {
    const end = now() + timeoutMs;
    let url = first;
    for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects += 1) {
      const answer = await once(url, findInMesh, Math.max(1, end - now()));
      if (answer.kind === 'done') return answer.document;
      const next = URL.canParse(answer.to, url) ? new URL(answer.to, url) : undefined;
      if (next === undefined || (next.protocol !== 'https:' && next.protocol !== 'http:'))
        return refused('it redirects to no http or https address');
      if (url.protocol === 'https:' && next.protocol === 'http:') return refused('it redirects from https to http');
      url = next;
    }
    return refused(`it redirects more than ${MOST_REDIRECTS} times`);
  };
}
