import type { Headers } from '../../../mesh/model/virtual-service.ts';
import type { Answer as Explained, Target } from '../../../routing/evaluate/answer.ts';
import type { Answer } from '../envoy/call.ts';

type Sent = Readonly<Record<string, string | undefined>>;
type Side = 'request' | 'response';

/** Header operations that Envoy has in one list: it removes first, then sets, then adds, whoever says so. */
function edited(before: Sent, levels: readonly (Headers | undefined)[], side: Side): Sent {
  const after: Record<string, string | undefined> = { ...before };
  for (const level of levels) for (const name of level?.[side].remove ?? []) after[name.toLowerCase()] = undefined;
  for (const level of levels)
    for (const [name, value] of Object.entries(level?.[side].set ?? {})) after[name.toLowerCase()] = value.replaceAll('%%', '%');
  for (const level of levels) {
    for (const [name, value] of Object.entries(level?.[side].add ?? {})) {
      const there = after[name.toLowerCase()];
      after[name.toLowerCase()] = there === undefined ? value : `${there}, ${value}`;
    }
  }
  return after;
}

const HEADERS = ['x-a', 'x-b', 'x-c', 'x-r', 'x-d', 'cookie'] as const;
const ANSWERS = ['x-answer-r', 'x-answer-d'] as const;

const same = (wanted: Sent, seen: Readonly<Record<string, string | readonly string[] | undefined>>, names: readonly string[]) =>
  names.find(
    (name) => (wanted[name] ?? undefined) !== (seen[name] === undefined ? undefined : String(seen[name]).replaceAll(',,', ',')),
  );

/** With several destinations each edits first and the route after it; with one they are edited together, the route first. */
function levels(route: Headers | undefined, { headers }: Target, alone: boolean): readonly (readonly (Headers | undefined)[])[] {
  return alone ? [[route, headers]] : [[headers], [route]];
}

/** Why an answer of the proxy is not what was explained; undefined: it is. */
export function contradiction(
  { outcome, fault }: Explained,
  answer: Answer,
  sent: Sent,
  servers: Readonly<Record<string, string>>,
): string | undefined {
  const { status, server } = answer;
  const got = `${status} from ${server ?? 'the proxy'}`;
  if (fault?.abort !== undefined && fault.abort.percentage === 100)
    return status === fault.abort.httpStatus && server === undefined
      ? undefined
      : `abort ${fault.abort.httpStatus ?? 503}, got ${got}`;
  switch (outcome.kind) {
    case 'redirect': {
      const wanted = `${outcome.status} ${outcome.location}`;
      const seen = `${status} ${answer.headers.location ?? ''}`;
      return wanted === seen ? undefined : `redirect ${wanted}, got ${seen}`;
    }
    case 'direct-response':
      return status === outcome.status && server === undefined && answer.body === outcome.body
        ? undefined
        : `direct ${outcome.status} ${outcome.body}, got ${got} ${answer.body}`;
    case 'refused':
      return status === outcome.status && server === undefined ? undefined : `refused ${outcome.status}, got ${got}`;
    case 'route': {
      const alone = outcome.destinations.length === 1;
      const reasons = outcome.destinations.map((one) => {
        if (one.trouble !== undefined)
          return status === one.trouble.status && server === undefined
            ? undefined
            : `${one.trouble.status} (${one.trouble.why}), got ${got}`;
        const address = server === undefined ? undefined : servers[server];
        if (address === undefined || !one.endpoints.some((endpoint) => endpoint.startsWith(`${address}:`)))
          return `one of ${one.endpoints.join(', ')}, got ${got}`;
        if (answer.path !== outcome.path) return `path ${outcome.path}, got ${answer.path ?? ''}`;
        if (answer.seen.host !== one.authority) return `host ${one.authority}, got ${answer.seen.host ?? ''}`;
        const steps = levels(outcome.headers, one, alone);
        const request = steps.reduce((before, step) => edited(before, step, 'request'), sent);
        const response = steps.reduce((before, step) => edited(before, step, 'response'), {} as Sent);
        const name = same(request, answer.seen, HEADERS);
        if (name !== undefined) return `${name}: ${request[name] ?? 'none'}, got ${String(answer.seen[name])}`;
        const back = same(response, answer.headers, ANSWERS);
        return back === undefined
          ? undefined
          : `answer ${back}: ${response[back] ?? 'none'}, got ${String(answer.headers[back])}`;
      });
      return reasons.includes(undefined) ? undefined : reasons.join(' | ');
    }
    default:
      return `${outcome.kind}, got ${got}`;
  }
}
