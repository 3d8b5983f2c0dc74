import type { Limit, LimitBy, LimitMatch } from '../../model/rate-limit.ts';
import type { StringMatch } from '../../model/virtual-service.ts';
import { isAddressBlock } from '../address.ts';
import { duration } from '../duration.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { describe, shorten } from '../node.ts';
import { regexProblem } from '../regex.ts';
import { integer, optionalText, requiredText, text } from '../scalar.ts';
import { headerMatches, requiredStringMatch } from '../virtual-service/string-match.ts';

/** Envoy refuses to fill a bucket more often. */
const LEAST_PER_MS = 50;
const MOST_PER_MS = 24 * 3_600_000;
const MOST_REQUESTS = 1_000_000_000;
/** RFC 9110, section 5.1. */
const HEADER_NAME = /^[-_.~!#$%&'*+^`|A-Za-z0-9]+$/;
const MOST_TEXT = 1000;
const LIMIT_NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** One entry of `limits`. */
export function limit(item: Field): Limit {
  const fields = fieldsOf(item, ['name', 'requests', 'per', 'burst', 'match', 'clientAddresses', 'by']);
  const name = requiredText(fields.name, 'as name: crawlers');
  if (name !== '' && !LIMIT_NAME.test(name))
    fields.name.error(
      'bad-name',
      `"${shorten(name)}" is no name of a limit`,
      'use lower-case letters, digits and "-", at most 63',
    );
  const requests = required(fields.requests, () => count(fields.requests), 'as requests: 100');
  const perMs = required(fields.per, () => duration(fields.per, LEAST_PER_MS), 'as per: 1s, or per: 1m');
  if (perMs !== undefined && perMs > MOST_PER_MS)
    fields.per.error(
      'out-of-range',
      'the time is longer than a day',
      'a proxy that starts anew forgets what it counted: use a day or less',
    );
  return {
    name,
    requests: requests ?? 1,
    perMs: perMs ?? LEAST_PER_MS,
    burst: count(fields.burst) ?? requests ?? 1,
    match: match(fields.match),
    clientAddresses: addresses(fields.clientAddresses),
    by: by(fields.by),
  };
}

function required<T>(field: Field, read: () => T | undefined, hint: string): T | undefined {
  if (!field.given) field.error('missing-field', 'must be given', hint);
  return read();
}

function count(field: Field): number | undefined {
  if (field.node?.kind === 'scalar' && field.node.value === 0) {
    field.error(
      'out-of-range',
      '0 would let no request through',
      'to refuse requests write an AuthorizationPolicy with action: DENY',
    );
    return undefined;
  }
  return integer(field, 1, MOST_REQUESTS);
}

function match(field: Field): LimitMatch | undefined {
  if (!field.given) return undefined;
  const fields = fieldsOf(field, ['uri', 'method', 'authority', 'headers']);
  const headers = headerMatches(fields.headers, 'header');
  for (const name of Object.keys(headers)) {
    if (name.startsWith('@') || name.startsWith(':'))
      fields.headers.error(
        'bad-header',
        `${shorten(name)} is no header of a request`,
        'use uri, method or authority; claims of tokens are not known here',
      );
  }
  const [uri, method, authority] = [fields.uri, fields.method, fields.authority].map(compiled);
  if ([uri, method, authority, ...Object.values(headers)].every((one) => one === undefined) && !field.report.failed)
    field.error('missing-field', 'match says nothing', 'give uri, method, authority or headers, or remove it');
  return { uri, method, authority, headers };
}

/** Envoy gets these as expressions, with an optional query or port behind: they must be small enough with it, or the proxy keeps its old limits. */
function compiled(field: Field): StringMatch | undefined {
  const found = requiredStringMatch(field);
  if (found === undefined || field.report.failed) return found;
  const problem =
    found.kind === 'regex'
      ? regexProblem(`(?:${found.value})(?:[?].*)?`)
      : found.value.length > MOST_TEXT
        ? `the text is longer than ${MOST_TEXT} characters`
        : undefined;
  if (problem !== undefined) field.error('out-of-range', problem, 'use a prefix, or a simpler expression');
  return found;
}

function addresses(field: Field): readonly string[] {
  const items = itemsOf(field);
  if (field.given && items.length === 0 && !field.report.failed)
    field.error('missing-field', 'names no address', 'remove it for a limit on all clients');
  return items.flatMap((item) => {
    const written = requiredText(item, 'as 192.0.2.0/24');
    if (written !== '' && isAddressBlock(written)) return [written];
    if (written !== '')
      item.error('bad-address', `"${shorten(written)}" is no address or CIDR block`, 'as 10.0.0.0/8 or 2001:db8::1');
    return [];
  });
}

/** `clientAddress`, or `{header: NAME}`. */
function by(field: Field): LimitBy {
  const { node } = field;
  if (node === undefined) return { kind: 'all' };
  if (node.kind !== 'map') {
    const written = node.kind === 'scalar' && typeof node.value === 'string' ? text(field) : describe(node);
    if (written === 'clientAddress') return { kind: 'clientAddress' };
    field.error('unknown-value', `"${shorten(written)}" is not known here`, 'write by: clientAddress or by: {header: x-user}');
    return { kind: 'all' };
  }
  const { header } = fieldsOf(field, ['header']);
  const name = optionalText(header);
  if (name === undefined || !HEADER_NAME.test(name))
    header.error(
      'bad-header',
      name === undefined ? 'names no header' : `"${shorten(name)}" is no header name`,
      'as by: {header: x-user}',
    );
  return { kind: 'header', name: (name ?? '').toLowerCase() };
}
