import { get } from 'node:https';
import { parsed, refused, type Parsed } from '../identity/parsed.ts';

/** Reads a small document over https; why not, where it cannot be had. */
export type GetDocument = (url: URL) => Promise<Parsed<string>>;

const LARGEST = 1024 * 1024;
const TIMEOUT_MS = 5_000;

/**
 * GET over https only, without redirects (they could lead to another authority), of at most 1 MiB, within 5 seconds in all.
 * @param rootsPem the roots that servers must lead to; without them those of Node.js
 */
export function httpsGet(rootsPem?: string, timeoutMs = TIMEOUT_MS): GetDocument {
  return (url) => {
    if (url.protocol !== 'https:') return Promise.resolve(refused(`${url.href} is not https`));
    return new Promise((resolve) => {
      const give = (answer: Parsed<string>) => {
        clearTimeout(timer);
        request.destroy();
        resolve(answer);
      };
      const request = get(
        url,
        {
          ...(rootsPem !== undefined && { ca: rootsPem }),
          minVersion: 'TLSv1.2',
          agent: false,
          // A server may offer keys as the latter only (RFC 7517, section 8.5), as Kubernetes does.
          headers: { accept: 'application/json, application/jwk-set+json' },
        },
        (response) => {
          if (response.statusCode !== 200) return give(refused(`${url.href} answers ${String(response.statusCode)}`));
          const chunks: Buffer[] = [];
          let size = 0;
          response.on('data', (chunk: Buffer) => {
            size += chunk.length;
            if (size > LARGEST) give(refused(`${url.href} is larger than 1 MiB`));
            else chunks.push(chunk);
          });
          response.on('end', () => give(parsed(Buffer.concat(chunks).toString('utf8'))));
          response.on('error', (error) => give(refused(`${url.href}: ${error.message}`)));
        },
      );
      const timer = setTimeout(() => give(refused(`${url.href} does not answer`)), timeoutMs);
      request.on('error', (error) => give(refused(`${url.href}: ${error.message}`)));
    });
  };
}
