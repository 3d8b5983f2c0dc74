import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { httpsUrl } from '../../ca/authenticate/discovery.ts';
import type { TokenOptions } from '../../ca/authenticate/tokens.ts';
import { type DnsRule, parseDnsRule } from '../../ca/dns/rules.ts';
import { parsed, refused, type Parsed } from '../../ca/identity/parsed.ts';
import { collect } from '../options/collect.ts';

export interface CallerFlags {
  readonly jwks?: string;
  readonly tokenIssuer?: string;
  readonly tokenAudience: string;
  readonly tokenIssuerRoots?: string;
  readonly trustedNodeAccount?: readonly string[];
  readonly allowDnsSan?: readonly string[];
  readonly identityRate?: string;
  readonly addressRate?: string;
}

export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** How callers of the authority prove who they are, and how often they may. */
export interface CallerOptions {
  readonly token: TokenOptions;
  /** Service accounts of node proxies, `NAMESPACE/NAME`. */
  readonly trustedNodeAccounts: readonly string[];
  readonly dnsNames: readonly DnsRule[];
  readonly identityRate: Rate | undefined;
  readonly addressRate: Rate | undefined;
}

export function addCallerOptions(command: Command): Command {
  return command
    .option('--jwks <file-or-url>', 'public keys of the token issuer (JWKS), as a file or an https address')
    .option('--token-issuer <issuer>', 'the `iss` that tokens must have; without --jwks its keys are found by OIDC discovery')
    .option('--token-audience <audience>', 'the `aud` that tokens must have', 'istio-ca')
    .option('--token-issuer-roots <file>', "roots for the issuer's https servers, PEM (default: those of Node.js)")
    .option(
      '--trusted-node-account <namespace/name>',
      'service account of node proxies, which may ask for the certificates of pods on their node; may be repeated',
      collect,
    )
    .option(
      '--allow-dns-san <namespace/account=names>',
      'DNS names a workload may ask for besides its SPIFFE ID, such as shop/cart=cart.shop.svc,*.cart.example.org; may be repeated',
      collect,
    )
    .option('--identity-rate <n/s>', 'certificates an identity may ask for, as RATE or RATE,BURST a second (default: no limit)')
    .option('--address-rate <n/s>', 'certificates a client address may ask for, written the same way (default: no limit)');
}

const ACCOUNT = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\/[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;

export function parseCallerFlags(flags: CallerFlags): Parsed<CallerOptions> {
  const token = tokenOptions(flags);
  if (!token.ok) return token;
  const wrong = flags.trustedNodeAccount?.find((account) => !ACCOUNT.test(account));
  if (wrong !== undefined) return refused(`--trusted-node-account: ${wrong} is not NAMESPACE/NAME`);
  const dnsNames: DnsRule[] = [];
  for (const text of flags.allowDnsSan ?? []) {
    const rule = parseDnsRule(text);
    if (!rule.ok) return refused(`--allow-dns-san ${text}: ${rule.reason}`);
    dnsNames.push(rule.value);
  }
  const [identity, address] = [parseRate(flags.identityRate), parseRate(flags.addressRate)];
  if (!identity.ok) return refused(`--identity-rate: ${identity.reason}`);
  if (!address.ok) return refused(`--address-rate: ${address.reason}`);
  return parsed({
    token: token.value,
    trustedNodeAccounts: flags.trustedNodeAccount ?? [],
    dnsNames,
    identityRate: identity.value,
    addressRate: address.value,
  });
}

function tokenOptions({ jwks, tokenIssuer, tokenAudience, tokenIssuerRoots }: CallerFlags): Parsed<TokenOptions> {
  if (tokenIssuer === undefined)
    return jwks === undefined
      ? parsed({ audience: tokenAudience })
      : refused('--jwks needs --token-issuer: a token counts only if both its key and its issuer are known');
  const url = jwks === undefined ? undefined : httpsUrl(jwks);
  if (url === undefined && jwks !== undefined && /^\w+:\/\//.test(jwks)) return refused(`--jwks: ${jwks} is no https address`);
  if (jwks === undefined && httpsUrl(tokenIssuer) === undefined)
    return refused(`--token-issuer: ${tokenIssuer} is no https address, so its keys cannot be found; give them with --jwks`);
  const roots = tokenIssuerRoots === undefined ? parsed(undefined) : readRoots(tokenIssuerRoots);
  if (!roots.ok) return roots;
  return parsed({
    issuer: tokenIssuer,
    audience: tokenAudience,
    ...(jwks !== undefined && (url === undefined ? { jwksFile: resolve(jwks) } : { jwksUrl: url.href })),
    ...(roots.value !== undefined && { issuerRootsPem: roots.value }),
  });
}

function readRoots(path: string): Parsed<string> {
  try {
    return parsed(readFileSync(path, 'utf8'));
  } catch (error) {
    return refused(`--token-issuer-roots: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** `RATE` or `RATE,BURST`; a burst is at least what a second gives. */
function parseRate(text: string | undefined): Parsed<Rate | undefined> {
  if (text === undefined) return parsed(undefined);
  const [, rate, burst] = /^(\d{1,6}(?:\.\d{1,3})?)(?:,(\d{1,7}))?$/.exec(text) ?? [];
  const perSecond = Number(rate);
  if (rate === undefined || !(perSecond > 0)) return refused(`${text} is no rate (write 50, or 50,1000 with a burst)`);
  const most = burst === undefined ? Math.max(1, perSecond) : Number(burst);
  return most >= 1 ? parsed({ perSecond, burst: most }) : refused(`${text}: the burst must be at least 1`);
}
