import { isIP } from 'node:net';
import { resolve } from 'node:path';
import type { Parsed } from '../../ca/identity/parsed.ts';

/** Where a store is. */
export type StoreLocation =
  | { readonly engine: 'sqlite'; readonly file: string }
  | {
      readonly engine: 'postgres';
      /** Without a password. */
      readonly url: string;
      /** Read each time that a connection is made, so that the password can be changed. */
      readonly passwordFile: string | undefined;
    };

const LOOPBACK = /^127(?:\.\d{1,3}){3}$|^\[?::1\]?$|^localhost$/;

/** Of libpq's (https://www.postgresql.org/docs/current/libpq-connect.html), those that are known here. */
const PARAMETERS: ReadonlySet<string> = new Set(['host', 'sslmode', 'sslrootcert', 'sslcert', 'sslkey']);

/** Certificates are always verified, with the name in them: what asks for less gets more, and what asks for nothing gets no TLS. */
const SSL_MODES: ReadonlySet<string> = new Set(['disable', 'require', 'verify-ca', 'verify-full']);

function refused(reason: string): Parsed<never> {
  return { ok: false, reason };
}

function isLocal(url: URL): boolean {
  const host = url.searchParams.get('host') ?? decodeURIComponent(url.hostname);
  return host === '' || host.startsWith('/') || LOOPBACK.test(host);
}

/**
 * A file, or `postgres://USER@HOST/DATABASE`. TLS with a verified certificate unless the server is on this machine or the address says otherwise.
 * A password is refused in it: commands and their flags are seen by everybody on the machine.
 */
export function parseStoreLocation(text: string, passwordFile?: string): Parsed<StoreLocation> {
  if (!/^postgres(ql)?:\/\//.test(text)) {
    // A word before `://` is somebody's other database, not a folder.
    if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text))
      return refused(`${text.split('://', 1)[0] ?? ''}:// is neither a file nor postgres://`);
    if (passwordFile !== undefined) return refused('a password is only for postgres://');
    return { ok: true, value: { engine: 'sqlite', file: resolve(text) } };
  }
  // URL takes no user without a host, which is how a socket of the machine is written.
  const spelled = text.replace(
    /^postgres(ql)?:\/\/(?:([^@/]*)@)?\//,
    (_all, _ql, user?: string) => `postgres://${user === undefined ? '' : `${user}@`}localhost/`,
  );
  if (!URL.canParse(spelled)) return refused('it is not an address such as postgres://gatehouse@db.example:5432/audit');
  const url = new URL(spelled);
  if (url.password !== '' || url.searchParams.has('password'))
    return refused('a password does not belong into the address: put it into a file, PGPASSFILE or PGPASSWORD');
  if (url.pathname.length < 2) return refused('it names no database: postgres://USER@HOST/DATABASE');
  const unknown = [...url.searchParams.keys()].find((name) => !PARAMETERS.has(name));
  if (unknown !== undefined) return refused(`parameter ${unknown} is not one of ${[...PARAMETERS].join(', ')}`);
  const mode = url.searchParams.get('sslmode');
  if (mode !== null && !SSL_MODES.has(mode)) return refused(`sslmode ${mode} is not one of ${[...SSL_MODES].join(', ')}`);
  if (!isLocal(url) && !url.searchParams.has('sslmode')) url.searchParams.set('sslmode', 'verify-full');
  return { ok: true, value: { engine: 'postgres', url: url.href, passwordFile } };
}

/** How a location is named to people: nothing in it is secret. */
export function locationText(location: StoreLocation): string {
  switch (location.engine) {
    case 'sqlite':
      return location.file;
    case 'postgres': {
      const url = new URL(location.url);
      const host = url.searchParams.get('host') ?? url.hostname;
      return `postgres://${isIP(host) === 6 ? `[${host}]` : host}${url.port === '' ? '' : `:${url.port}`}${url.pathname}`;
    }
    default:
      return location satisfies never;
  }
}
