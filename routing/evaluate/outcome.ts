import type { Port } from '../../mesh/model/port.ts';
import type { Outcome, Target } from './answer.ts';
import { authorityIn, portOf, shares, target, type World } from './destination.ts';
import { location } from './redirect.ts';
import { rewrittenPath } from './rewrite.ts';
import type { RouteRequest } from './question.ts';
import type { Candidate } from './walk.ts';

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** No request can be written whose path does not begin with a slash; that is seen once there is somebody to send it to. */
function sendable(one: Target, path: string): Target {
  return one.trouble !== undefined || path.startsWith('/')
    ? one
    : { ...one, trouble: { status: 400, why: `the rewritten path ${JSON.stringify(path)} does not begin with a slash` } };
}

/** What the route does with the request. @param asked the port on which it came */
export function outcomeOf(world: World, { route, match }: Candidate, request: RouteRequest, asked: Port): Outcome {
  const { action } = route;
  switch (action.kind) {
    case 'redirect':
      return REDIRECTS.has(action.redirect.code)
        ? { kind: 'redirect', status: action.redirect.code, location: location(action.redirect, match, request, asked) }
        : { kind: 'refused', status: 500, why: `${action.redirect.code} is no redirect` };
    case 'direct-response':
      // No Content, Reset Content and Not Modified end with their headers, whatever body is written for them.
      return {
        kind: 'direct-response',
        status: action.status,
        body: [204, 205, 304].includes(action.status) ? '' : (action.body ?? ''),
      };
    case 'delegate':
      return { kind: 'refused', status: 503, why: 'the delegate is not there' };
    case 'route': {
      const parts = shares(action.destinations);
      if (parts.length === 0) return { kind: 'refused', status: 503, why: 'all weights are 0' };
      const path = rewrittenPath(route.rewrite, match, request.path);
      // A rewrite goes before what the route sets, and that before what the destination sets.
      const above = route.rewrite?.authority ?? authorityIn(route.headers);
      return {
        kind: 'route',
        destinations: parts
          .map(([one, share]) =>
            target(world, one, share, asked, above ?? authorityIn(one.headers) ?? request.host, route.unknownDestination),
          )
          .map((one) => (path === request.path ? one : sendable(one, path))),
        path,
        rewritten: route.rewrite?.uri !== undefined || route.rewrite?.uriRegex !== undefined,
        mirrors: route.mirrors
          .filter(({ percentage }) => percentage > 0)
          .map(({ destination, percentage }) => ({
            host: destination.host,
            subset: destination.subset,
            port: portOf(world, destination, asked),
            percentage,
          })),
        timeoutMs: route.timeoutMs,
        retries: route.retries,
        headers: route.headers,
      };
    }
    default:
      return action satisfies never;
  }
}
