import { isIP } from 'node:net';
import { type Explanation, explain } from '../../../policy/evaluate/explain.ts';
import type { Request, Token } from '../../../policy/evaluate/request.ts';
import { port, request } from '../model.ts';
import { EXTENSION_PROVIDERS } from './authorizers.ts';
import { type Caller, passesTls, principalOf } from './callers.ts';
import type { Sent } from './requests.ts';
import type { Place } from './world.ts';

/** What a call comes to. `rule` is the name under which Envoy knows it; empty when no rule decided. */
export interface Result {
  readonly decision: 'ALLOW' | 'DENY' | 'CLOSED' | 'REFUSED';
  readonly rule: string;
  /** What dry runs of DENY and of ALLOW say, and the AUDIT rule that matched; empty where they are not asked. */
  readonly notes: readonly [string, string, string];
}

/** The connection gets no further than its filter chain or its handshake. */
export function expectedClosed({ world }: Place, caller: Caller): boolean {
  if (caller.kind === 'plain') return world.strict;
  return !world.lax && !passesTls(caller, world.meshConfig);
}

function headersOf({ headers }: Sent): ReadonlyMap<string, readonly string[]> {
  const lines = new Map<string, readonly string[]>();
  for (const [written, value] of headers) {
    const name = written.toLowerCase();
    lines.set(name, [...(lines.get(name) ?? []), value.trim()]);
  }
  return lines;
}

/** The caller's address as the last proxy told it; undefined when it told none that can be read. */
function forwarded(headers: ReadonlyMap<string, readonly string[]>): string | undefined {
  const text = headers.get('x-forwarded-for')?.join(',');
  if (text === undefined) return undefined;
  const comma = text.lastIndexOf(',');
  const last = (comma >= 0 && comma + 1 < text.length ? text.slice(comma + 1) : text).trim();
  return isIP(last) === 0 || last.includes('%') ? undefined : last;
}

/** Host and path of a request target in either form. */
export function targetOf({ target, host }: Sent): { readonly host: string; readonly path: string } {
  const absolute = /^https?:\/\/([^/?#]+)(.*)$/s.exec(target);
  if (absolute === null) return { host, path: target };
  const rest = absolute[2] ?? '';
  return { host: absolute[1] ?? '', path: rest.startsWith('/') ? rest : `/${rest}` };
}

function utf8(text: string): string {
  return Buffer.from(text, 'latin1').toString('utf8');
}

/** The question that a call puts to `evaluate`. */
export function asked(place: Place, caller: Caller, from: string, to: string, sent: Sent | undefined, token?: Token): Request {
  const headers = sent === undefined ? new Map<string, readonly string[]>() : headersOf(sent);
  const protocol = sent === undefined ? 'TCP' : 'HTTP';
  const answer = headers.get('x-ext-authz')?.[0] === 'allow' ? 'allow' : 'deny';
  const question = request({
    source: { principal: principalOf(caller), ip: from, remoteIp: forwarded(headers) },
    destination: {
      namespace: place.workload.namespace,
      labels: place.workload.labels,
      ip: to,
      port: port(sent === undefined ? place.ports.tcp : place.ports.http),
      protocol,
      sni: caller.kind === 'plain' ? undefined : caller.serverName,
    },
    http:
      sent === undefined
        ? {}
        : {
            ...targetOf(sent),
            method: sent.method,
            headers: new Map([...headers].map(([name, lines]) => [name, lines.map(utf8)])),
          },
    token,
  });
  return { ...question, extAuthz: new Map(EXTENSION_PROVIDERS.map(({ name }) => [name, answer])) };
}

function ruleName(policy: string | undefined, rule: number | undefined): string {
  if (policy === undefined || rule === undefined) return '';
  const [namespace, name] = policy.split('/');
  return `ns[${namespace}]-policy[${name}]-rule[${rule}]`;
}

function notesOf({ shadow, policies, verdict }: Explanation): Result['notes'] {
  const told = (one: Explanation['shadow']['deny']): string =>
    one === undefined ? '' : `${one.decision === 'ALLOW' ? 'allowed' : 'denied'} ${ruleName(one.policy, one.rule)}`.trimEnd();
  const [audited = ''] = policies
    .filter(({ action, dryRun, reached }) => action === 'AUDIT' && !dryRun && reached)
    .flatMap(({ policy, rules }) => rules.flatMap(({ counts, rule }) => (counts ? [ruleName(policy, rule)] : [])))
    .sort();
  if (verdict.decision === 'ALLOW') return [told(shadow.deny), told(shadow.allow), audited];
  // A filter notes what it found after it has refused: of that one, the response cannot tell. The access log does.
  const byAllow = policies.some(({ action, reached }) => action === 'ALLOW' && reached);
  return [byAllow ? told(shadow.deny) : '', '', audited];
}

/** What `evaluate` says. */
export function expectedOf(place: Place, question: Request): Result {
  const explanation = explain(place.snapshot, question);
  const { decision, policy, rule } = explanation.verdict;
  // The answer to a request that an authorizer denied does not tell which rule had it asked.
  const byAuthorizer = explanation.custom?.passed === false && isAuthorizer(explanation);
  return { decision, rule: byAuthorizer ? '' : ruleName(policy, rule), notes: notesOf(explanation) };
}

function isAuthorizer({ policies }: Explanation): boolean {
  const provider = policies.find(({ decided }) => decided)?.provider;
  return EXTENSION_PROVIDERS.some(({ name }) => name === provider);
}

const DENIED: Result = Object.freeze({ decision: 'DENY', rule: '', notes: ['', '', ''] as const });

/** What `evaluate` says of a request with a token that nobody should believe: it is refused before any policy, unless no one looks at it. */
export function expectedWithBadToken(place: Place, question: Request): Result {
  return place.snapshot.requestAuthentications.length === 0 ? expectedOf(place, question) : DENIED;
}

/** A browser's question before a request (Fetch standard, section "CORS protocol"): nobody looks at a token in it. */
export function isPreflight(sent: Sent | undefined): boolean {
  const has = (name: string): boolean => sent?.headers.some(([one]) => one.toLowerCase() === name) === true;
  return sent?.method === 'OPTIONS' && has('origin') && has('access-control-request-method');
}
