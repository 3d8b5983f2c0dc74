import { isIP } from 'node:net';
import { type Explanation, explain } from '../../../policy/evaluate/explain.ts';
import type { Request } from '../../../policy/evaluate/request.ts';
import { port, request } from '../model.ts';
import { type Caller, passesTls, principalOf } from './callers.ts';
import type { Sent } from './requests.ts';
import type { Place } from './world.ts';

/** What a call comes to. `rule` is the name under which Envoy knows it; empty when no rule decided. */
export interface Result {
  readonly decision: 'ALLOW' | 'DENY' | 'CLOSED' | 'REFUSED';
  readonly rule: string;
  /** What dry runs of DENY and ALLOW say; empty where they are not asked. */
  readonly shadows: readonly [string, string];
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
export function asked(place: Place, caller: Caller, from: string, to: string, sent: Sent | undefined): Request {
  const headers = sent === undefined ? new Map<string, readonly string[]>() : headersOf(sent);
  const protocol = sent === undefined ? 'TCP' : 'HTTP';
  return request({
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
  });
}

function ruleName(policy: string | undefined, rule: number | undefined): string {
  if (policy === undefined || rule === undefined) return '';
  const [namespace, name] = policy.split('/');
  return `ns[${namespace}]-policy[${name}]-rule[${rule}]`;
}

function shadowsOf({ shadow, policies, verdict }: Explanation): Result['shadows'] {
  const told = (one: Explanation['shadow']['deny']): string =>
    one === undefined ? '' : `${one.decision === 'ALLOW' ? 'allowed' : 'denied'} ${ruleName(one.policy, one.rule)}`.trimEnd();
  if (verdict.decision === 'ALLOW') return [told(shadow.deny), told(shadow.allow)];
  // A filter notes what it found after it has refused: of that one, the response cannot tell. The access log does.
  const byAllow = policies.some(({ action, reached }) => action === 'ALLOW' && reached);
  return [byAllow ? told(shadow.deny) : '', ''];
}

/** What `evaluate` says. */
export function expectedOf(place: Place, question: Request): Result {
  const explanation = explain(place.snapshot, question);
  const { decision, policy, rule } = explanation.verdict;
  return { decision, rule: ruleName(policy, rule), shadows: shadowsOf(explanation) };
}
