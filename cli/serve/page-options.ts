import type { Command } from 'commander';
import { type Parsed, parsed, refused } from '../../ca/identity/parsed.ts';
import { isTrustworthy } from '../../audit/page/server/auth/oidc.ts';
import { isLoopback, type ListenAddress, parseListenAddress } from '../options/address.ts';

/** What commander hands over. */
export interface PageFlags {
  readonly pageAddress?: string;
  readonly pageUrl?: string;
  readonly pageTokens?: string;
  readonly pageOidcIssuer?: string;
  readonly pageOidcClientId?: string;
  readonly pageOidcClientSecretFile?: string;
  readonly pageOidcClaim: string;
  readonly pageOidcPrefix: string;
  readonly pageOidcScopes: string;
  readonly pageTlsCert?: string;
  readonly pageTlsKey?: string;
  readonly pagePlaintext?: boolean;
  readonly pageSessionKey?: string;
}

export interface PageOptions {
  readonly address: ListenAddress;
  /** How browsers reach it, where that is not the address. */
  readonly url: URL | undefined;
  readonly tokensFile: string | undefined;
  readonly oidc:
    | {
        readonly issuer: string;
        readonly clientId: string;
        readonly clientSecretFile: string | undefined;
        readonly claim: string;
        readonly prefix: string;
        readonly scopes: string;
      }
    | undefined;
  readonly tls: PageTls;
  /** Keys of sessions that replicas share. */
  readonly sessionKeyFile: string | undefined;
}

export type PageTls =
  | { readonly kind: 'none' }
  /** With a certificate of the mesh's authority. */
  | { readonly kind: 'authority' }
  | { readonly kind: 'files'; readonly certificate: string; readonly key: string };

export function addPageOptions(command: Command): Command {
  return command
    .option(
      '--page-address <host:port>',
      'a page that shows who talks to whom; beyond this machine it needs tokens or a provider',
    )
    .option('--page-url <url>', 'how browsers reach the page, where a proxy is before it or it has a name')
    .option('--page-tokens <file>', 'YAML list of {name, token or sha256, namespaces} that may see the page')
    .option('--page-oidc-issuer <url>', 'the OpenID Connect provider at which people sign in')
    .option('--page-oidc-client-id <id>', 'of this page at the provider')
    .option('--page-oidc-client-secret-file <file>', 'of a confidential client; PKCE is used in any case')
    .option('--page-oidc-claim <name>', 'claim of the ID token that lists namespaces, * for all', 'groups')
    .option(
      '--page-oidc-prefix <text>',
      'what stands before a namespace in that claim; values without it do not count',
      'gatehouse:',
    )
    .option('--page-oidc-scopes <scopes>', 'asked of the provider', 'openid profile email')
    .option('--page-tls-cert <file>', "certificate chain of the page, PEM; without it the mesh's authority issues one")
    .option('--page-tls-key <file>', 'its private key, PEM')
    .option(
      '--page-session-key <file>',
      'what sessions are sealed with, the same at all replicas: 32 bytes in base64 in each line, the first seals; ' +
        'without it a Secret of the cluster, or a key of this process',
    )
    .option('--page-plaintext', 'no TLS beyond this machine: something before it does that');
}

function parseUrl(text: string | undefined): Parsed<URL | undefined> {
  if (text === undefined) return parsed(undefined);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.pathname !== '/' || url.search !== '' || url.username !== '')
    return refused(`--page-url: ${text} is not https://HOST[:PORT]`);
  return parsed(url);
}

function parseOidc(flags: PageFlags): Parsed<PageOptions['oidc']> {
  const { pageOidcIssuer: issuer, pageOidcClientId: clientId } = flags;
  if (issuer === undefined)
    return clientId === undefined ? parsed(undefined) : refused('--page-oidc-client-id needs --page-oidc-issuer');
  if (!URL.canParse(issuer) || !isTrustworthy(new URL(issuer)))
    return refused(`--page-oidc-issuer: ${issuer} is no https address`);
  if (clientId === undefined) return refused('--page-oidc-issuer needs --page-oidc-client-id');
  return parsed({
    issuer,
    clientId,
    clientSecretFile: flags.pageOidcClientSecretFile,
    claim: flags.pageOidcClaim,
    prefix: flags.pageOidcPrefix,
    scopes: flags.pageOidcScopes,
  });
}

/** Undefined where there is no page. */
export function parsePageFlags(flags: PageFlags): Parsed<PageOptions | undefined> {
  if (flags.pageAddress === undefined) {
    const orphan = Object.entries({
      '--page-tokens': flags.pageTokens,
      '--page-oidc-issuer': flags.pageOidcIssuer,
      '--page-url': flags.pageUrl,
      '--page-session-key': flags.pageSessionKey,
    }).find(([, value]) => value !== undefined);
    return orphan === undefined ? parsed(undefined) : refused(`${orphan[0]} needs --page-address`);
  }
  const address = parseListenAddress(flags.pageAddress);
  if (!address.ok) return refused(`--page-address: ${address.reason}`);
  const url = parseUrl(flags.pageUrl);
  if (!url.ok) return url;
  const oidc = parseOidc(flags);
  if (!oidc.ok) return oidc;
  if (oidc.value !== undefined && url.value === undefined && address.value.port === 0)
    return refused('--page-oidc-issuer needs --page-url where the port is not fixed: the provider sends browsers back there');
  const { pageTlsCert: certificate, pageTlsKey: key, pageTokens: tokensFile } = flags;
  if ((certificate === undefined) !== (key === undefined)) return refused('--page-tls-cert and --page-tls-key go together');
  if (flags.pagePlaintext === true && certificate !== undefined)
    return refused('--page-plaintext and --page-tls-cert exclude each other');
  if (flags.pageSessionKey !== undefined && tokensFile === undefined && oidc.value === undefined)
    return refused('--page-session-key: there are no sessions without --page-tokens or --page-oidc-issuer');
  const local = isLoopback(address.value);
  if (!local && tokensFile === undefined && oidc.value === undefined)
    return refused(
      `--page-address: ${flags.pageAddress} can be reached from other machines, and the page shows who calls whom ` +
        '(say who may see it with --page-tokens FILE or --page-oidc-issuer URL, or listen on 127.0.0.1)',
    );
  const tls: PageTls =
    certificate !== undefined && key !== undefined
      ? { kind: 'files', certificate, key }
      : local || flags.pagePlaintext === true
        ? { kind: 'none' }
        : { kind: 'authority' };
  return parsed({
    address: address.value,
    url: url.value,
    tokensFile,
    oidc: oidc.value,
    tls,
    sessionKeyFile: flags.pageSessionKey,
  });
}
