import type { Parsed } from '../../ca/identity/parsed.ts';
import { parsePort } from '../../mesh/model/port.ts';
import type { PathNormalization } from '../../mesh/model/mesh-config.ts';
import { normalizedPath } from '../../policy/evaluate/path.ts';
import type { Asker, RouteRequest } from '../../routing/evaluate/question.ts';

export interface RequestFlags {
  readonly to?: string;
  readonly host?: string;
  readonly port?: string;
  readonly scheme?: string;
  readonly path?: string;
  readonly method?: string;
  readonly header?: readonly string[];
  readonly claims?: string;
}

function headersOf(written: readonly string[]): Parsed<ReadonlyMap<string, readonly string[]>> {
  const headers = new Map<string, readonly string[]>();
  for (const one of written) {
    const at = one.search(/[=:]/);
    if (at < 1) return { ok: false, reason: `-H ${one}: write it as name=value` };
    const name = one.slice(0, at).trim().toLowerCase();
    headers.set(name, [...(headers.get(name) ?? []), one.slice(at + 1).trim()]);
  }
  return { ok: true, value: headers };
}

function claimsOf(written: string | undefined): Parsed<RouteRequest['claims']> {
  if (written === undefined) return { ok: true, value: undefined };
  try {
    const value: unknown = JSON.parse(written);
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return { ok: true, value: Object.fromEntries(Object.entries(value)) };
  } catch {
    // Said below, as for JSON that is no object.
  }
  return { ok: false, reason: `--claims: write the token's claims as JSON, such as '{"group":"admin"}'` };
}

const URL_FORM = /^(?:(https?):\/\/)?([^/?#]+)(.*)$/i;

/** The path as it is matched: in the form that the proxies bring it to. */
function pathFor(raw: string, mode: PathNormalization): string {
  const path = raw.startsWith('/') ? raw : `/${raw}`;
  const query = /\?[^#]*/.exec(path)?.[0] ?? '';
  return normalizedPath(path, mode) + query;
}

/** The request that the flags spell out: a URL, its parts, or both, in which case the parts count. */
export function requestFrom(flags: RequestFlags, asker: Asker, mode: PathNormalization): Parsed<RouteRequest> {
  const [, urlScheme, authority, rest] = (flags.to === undefined ? undefined : URL_FORM.exec(flags.to)) ?? [];
  if (flags.to !== undefined && authority === undefined)
    return { ok: false, reason: `--to ${flags.to}: write a URL, such as http://reviews:9080/reviews/7` };
  const host = flags.host ?? authority;
  if (host === undefined) return { ok: false, reason: 'say where to: --to URL, or --host and --path' };
  const scheme = (flags.scheme ?? urlScheme ?? 'http').toLowerCase();
  if (scheme !== 'http' && scheme !== 'https') return { ok: false, reason: `--scheme ${scheme}: http or https` };
  const named = /:(\d{1,5})$/.exec(authority ?? host)?.[1];
  const digits = flags.port ?? named;
  const port = parsePort(digits === undefined ? (scheme === 'https' ? 443 : 80) : Number(digits));
  if (port === undefined) return { ok: false, reason: `${digits ?? ''} is no port: 1 to 65535` };
  const headers = headersOf(flags.header ?? []);
  if (!headers.ok) return headers;
  const claims = claimsOf(flags.claims);
  if (!claims.ok) return claims;
  // An HTTP proxy reads the port from the URL alone.
  const explicit = asker.kind === 'sidecar' && asker.instance.capture.kind === 'explicit';
  const asked = explicit && flags.port !== undefined && named === undefined ? `${host}:${flags.port}` : host;
  return {
    ok: true,
    value: {
      method: (flags.method ?? 'GET').toUpperCase(),
      scheme,
      host: asked,
      port,
      path: pathFor(flags.path ?? (rest === undefined || rest === '' ? '/' : rest), mode),
      headers: headers.value,
      claims: claims.value,
    },
  };
}
