import { resolve } from 'node:path';
import type { Command } from 'commander';
import { type Parsed, parsed } from '../../ca/identity/parsed.ts';
import { parseAuditSubject } from '../serve/audit-subject.ts';
import { type PageOptions, parsePageFlags } from '../serve/page-options.ts';

/** Flags of `gatehouse serve` that `up` takes and hands over: who may see the page, and what is kept of tokens. */
export interface ServedFlags {
  readonly pageAddress?: string;
  readonly pageUrl?: string;
  readonly pageTokens?: string;
  readonly pageTlsCert?: string;
  readonly pageTlsKey?: string;
  readonly pagePlaintext?: boolean;
  readonly auditSubject?: string;
  readonly auditSubjectKey?: string;
}

export function addServedOptions(command: Command): Command {
  return command
    .option('--page-address <host:port>', 'a page with the report of who talked to whom; beyond this machine it needs tokens')
    .option('--page-url <url>', 'how browsers reach the page, where it has a name')
    .option('--page-tokens <file>', 'YAML list of {name, token or sha256, namespaces} that may see the page')
    .option('--page-tls-cert <file>', 'certificate chain of the page, PEM')
    .option('--page-tls-key <file>', 'its private key, PEM')
    .option('--page-plaintext', 'no TLS beyond this machine: something before it does that')
    .option('--audit-subject <off|hash|plain>', 'whose JSON Web Token a request had: not kept, as a keyed hash, or as it is')
    .option('--audit-subject-key <file>', 'the key of that hash, 32 bytes or more');
}

export interface Served {
  /** For `gatehouse serve`, all but the page's address: its port is chosen when the others are. */
  readonly arguments: readonly string[];
  readonly page: Pick<PageOptions, 'address' | 'tls' | 'url'> | undefined;
}

/** Checked here, so that a mistake is told before anything starts. */
export function parseServedFlags(flags: ServedFlags): Parsed<Served> {
  const page = parsePageFlags({ ...flags, pageOidcClaim: '', pageOidcPrefix: '', pageOidcScopes: '' });
  if (!page.ok) return page;
  const subject = parseAuditSubject(flags.auditSubject ?? 'off', flags.auditSubjectKey);
  if (!subject.ok) return subject;
  const named = (name: string, value: string | undefined) => (value === undefined ? [] : [name, value]);
  const file = (name: string, path: string | undefined) => named(name, path === undefined ? undefined : resolve(path));
  return parsed({
    page: page.value,
    arguments: [
      ...named('--page-url', flags.pageUrl),
      ...file('--page-tokens', flags.pageTokens),
      ...file('--page-tls-cert', flags.pageTlsCert),
      ...file('--page-tls-key', flags.pageTlsKey),
      ...(flags.pagePlaintext === true ? ['--page-plaintext'] : []),
      ...named('--audit-subject', flags.auditSubject),
      ...file('--audit-subject-key', flags.auditSubjectKey),
    ],
  });
}

/** How a browser on this machine reaches the page. */
export function pageUrl({ page }: Pick<Served, 'page'>, address: string): string {
  return page?.url?.href ?? `${page?.tls.kind === 'none' ? 'http' : 'https'}://${address}/`;
}
