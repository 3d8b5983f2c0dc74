import type { HttpRoute, Mirror, RouteAction } from '../../model/virtual-service.ts';
import { type Context, refer } from '../context.ts';
import { duration } from '../duration.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { percentage, wholePercent } from '../percentage.ts';
import { flag, optionalText, requiredText } from '../scalar.ts';
import { oldForm } from '../unapplied.ts';
import { destination } from './destination.ts';
import { fault } from './fault.ts';
import { headers } from './headers.ts';
import { OLD_HEADERS, withOldHeaders } from './old-headers.ts';
import { httpMatches } from './match.ts';
import { directResponse, redirect } from './redirect.ts';
import { cors, retries } from './retries.ts';
import { rewrite } from './rewrite.ts';
import { routeDestinations } from './weights.ts';

const KNOWN = [
  'name',
  'match',
  'route',
  'redirect',
  'directResponse',
  'delegate',
  'rewrite',
  'timeout',
  'retries',
  'fault',
  'mirror',
  'mirrors',
  'mirrorPercentage',
  'mirrorPercent',
  'mirror_percent',
  'corsPolicy',
  'headers',
  'websocketUpgrade',
  ...OLD_HEADERS,
] as const;

type Fields = Record<(typeof KNOWN)[number], Field>;

/** One HTTP route; undefined when it cannot take effect (reported). */
export function httpRoute(field: Field, context: Context): HttpRoute | undefined {
  const fields = fieldsOf(field, KNOWN);
  const action = routeAction(field, fields, context);
  const route = {
    name: optionalText(fields.name),
    match: httpMatches(fields.match, context),
    rewrite: rewrite(fields.rewrite),
    timeoutMs: duration(fields.timeout, 0),
    retries: retries(fields.retries),
    fault: fault(fields.fault),
    mirrors: mirrors(field, fields, context),
    cors: cors(fields.corsPolicy),
    headers: withOldHeaders(headers(fields.headers), fields),
  };
  flag(fields.websocketUpgrade);
  oldForm(fields.websocketUpgrade, 'nothing: web sockets are always let through');
  return action === undefined ? undefined : { ...route, action };
}

function routeAction(field: Field, fields: Fields, context: Context): RouteAction | undefined {
  const { redirect: redirected, directResponse: direct, delegate } = fields;
  const given = ([fields.route, redirected, direct, delegate] as const).filter((one) => one.given);
  if (given.length > 1)
    field.error(
      'contradiction',
      `only one of ${given.map((one) => one.path.split('.').at(-1)).join(' and ')} may be given`,
      'keep one',
    );
  if (redirected.given || direct.given) {
    for (const other of [fields.fault, fields.rewrite, ...(direct.given ? [fields.retries] : [])]) {
      if (other.given) other.error('contradiction', 'has no meaning where nothing is forwarded', 'remove it');
    }
  }
  if (redirected.given) return { kind: 'redirect', redirect: redirect(redirected) };
  if (direct.given) return directResponse(direct);
  if (delegate.given) {
    const named = fieldsOf(delegate, ['name', 'namespace']);
    const name = requiredText(named.name, 'as delegate: {name: reviews-routes}');
    const namespace = optionalText(named.namespace) ?? context.meta.namespace;
    if (name !== '') refer(context, delegate, { kind: 'delegate', namespace, name });
    return { kind: 'delegate', namespace, name };
  }
  const destinations = routeDestinations(fields.route, context);
  if (!fields.route.given || (destinations.length === 0 && !field.report.failed)) {
    field.error('missing-field', 'a route needs a destination', 'give route, redirect or directResponse');
  }
  return { kind: 'route', destinations };
}

/** `mirrors`, or today's single `mirror` with its percentage (absent: all requests), or its two old names. */
function mirrors(field: Field, fields: Fields, context: Context): readonly Mirror[] {
  oldForm(fields.mirrorPercent, 'mirrorPercentage: {value: N}');
  oldForm(fields.mirror_percent, 'mirrorPercentage: {value: N}');
  const share =
    percentage(fields.mirrorPercentage) ?? wholePercent(fields.mirrorPercent) ?? wholePercent(fields.mirror_percent) ?? 100;
  if (fields.mirror.given && fields.mirrors.given)
    field.error('contradiction', 'mirror and mirrors are both given', 'keep mirrors');
  const found: Mirror[] = [];
  if (fields.mirror.given) {
    const target = destination(fields.mirror, context);
    if (target !== undefined) found.push({ destination: target, percentage: share });
  }
  for (const item of itemsOf(fields.mirrors)) {
    const mirror = fieldsOf(item, ['destination', 'percentage']);
    const target = destination(mirror.destination, context);
    if (target !== undefined) found.push({ destination: target, percentage: percentage(mirror.percentage) ?? 100 });
  }
  return found;
}
