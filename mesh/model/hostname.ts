declare const brand: unique symbol;
/** A lower-case fully qualified host name; may begin with `*` (`*.example.com`, `*-eu.example.com`) or be `*` where a rule may say so. */
export type Hostname = string & { readonly [brand]: 'Hostname' };

/** As Envoy's domains have it, a wildcard may stand for the beginning of the first label. */
const FIRST = /^(\*[a-z0-9_-]{0,61}|[a-z0-9_][a-z0-9_-]{0,61})?[a-z0-9_]$/;
const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;

function isHostname(text: string): text is Hostname {
  if (text.length === 0 || text.length > 253) return false;
  if (text === '*') return true;
  const [first = '', ...rest] = text.split('.');
  return (first === '*' ? rest.length > 0 : FIRST.test(first)) && rest.every((label) => LABEL.test(label));
}

/** Parses a host name or wildcard (RFC 1123 labels, 253 bytes at most); undefined when it is none. */
export function parseHostname(text: string): Hostname | undefined {
  const lower = text.toLowerCase();
  return isHostname(lower) ? lower : undefined;
}

/**
 * The host a name stands for in a namespace: a name without a dot is a Service there; others are taken as they are.
 * @param domain the cluster's domain, `cluster.local` by default
 */
export function resolveHostname(name: string, namespace: string, domain: string): Hostname | undefined {
  if (name === '*' || name.includes('.')) return parseHostname(name);
  return parseHostname(`${name}.${namespace}.svc.${domain}`);
}

/** True when `host` is covered by `pattern`: equal, or longer and with the same end after a leading wildcard (`*.a.b` covers `x.a.b` and `y.x.a.b`). */
export function covers(pattern: Hostname, host: Hostname): boolean {
  if (pattern === host || pattern === '*') return true;
  return pattern.startsWith('*') && host.length >= pattern.length && host.endsWith(pattern.slice(1));
}
