import { createHash } from 'node:crypto';
import type { RequestMatch, RequestRoute, RequestRule } from '../model/gateway-api.ts';
import type { Session } from '../model/virtual-service.ts';

/** Tells no client what the route is called, and is the same wherever it is made. */
function nameFor({ kind, meta }: RequestRoute, at: number): string {
  const route = `${kind} ${meta.namespace}/${meta.name} ${at}`;
  return `gatehouse-session-${createHash('sha256').update(route).digest('hex').slice(0, 12)}`;
}

/** Where a client sends the cookie: to the paths that a match takes, as far as they begin alike (RFC 6265, section 5.1.4). */
function pathOf({ uri }: RequestMatch): string {
  return uri === undefined || uri.kind === 'regex' ? '/' : uri.value;
}

/** The session of a rule for one of its matches, `at` which place it stands in the route. */
export function sessionOf(route: RequestRoute, { session }: RequestRule, at: number, match: RequestMatch): Session | undefined {
  if (session === undefined) return undefined;
  const name = session.name ?? nameFor(route, at);
  return session.kind === 'header' ? { kind: 'header', name } : { ...session, name, path: pathOf(match) };
}
