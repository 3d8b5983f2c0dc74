import type { ConsistentHash, HashKey } from '../../model/load-balancer.ts';
import { duration } from '../duration.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { flag, integer, optionalText, requiredText, text } from '../scalar.ts';
import { oldForm } from '../unapplied.ts';

/** Envoy's bounds: a ring of 8 million entries, a Maglev table of 5,000,011. */
const LARGEST_RING = 8_388_608;
const LARGEST_TABLE = 5_000_011;

function cookie(field: Field): HashKey {
  const fields = fieldsOf(field, ['name', 'path', 'ttl', 'attributes']);
  const name = requiredText(fields.name, 'name the cookie');
  const names = new Set<string>();
  const attributes: { readonly name: string; readonly value: string }[] = [];
  for (const item of itemsOf(fields.attributes)) {
    const attribute = fieldsOf(item, ['name', 'value']);
    const key = requiredText(attribute.name);
    if (names.has(key)) attribute.name.error('duplicate', `the attribute ${key} is given twice`, 'keep one');
    names.add(key);
    attributes.push({ name: key, value: text(attribute.value) });
  }
  return { kind: 'cookie', name, path: optionalText(fields.path), ttlMs: duration(fields.ttl, 0), attributes };
}

/** A 64-bit number, which protobuf's JSON writes in quotes. */
function wideInteger(field: Field): number | undefined {
  const { node } = field;
  if (node?.kind === 'scalar' && typeof node.value === 'string' && /^\d{1,15}$/.test(node.value)) return Number(node.value);
  return integer(field, 0, Number.MAX_SAFE_INTEGER);
}

function bounded(field: Field, most: number): number | undefined {
  const size = wideInteger(field);
  if (size !== undefined && size > most) field.error('out-of-range', `${size} is more than Envoy takes`, `use at most ${most}`);
  return size === 0 ? undefined : size;
}

function isPrime(value: number): boolean {
  if (value % 2 === 0) return value === 2;
  for (let divisor = 3; divisor * divisor <= value; divisor += 2) if (value % divisor === 0) return false;
  return value > 1;
}

/** Which endpoint has a request, by a value of it. */
export function consistentHash(field: Field): ConsistentHash | undefined {
  if (!field.given) return undefined;
  const fields = fieldsOf(field, [
    'httpHeaderName',
    'httpCookie',
    'useSourceIp',
    'httpQueryParameterName',
    'minimumRingSize',
    'ringHash',
    'maglev',
  ]);
  const given = [fields.httpHeaderName, fields.httpCookie, fields.useSourceIp, fields.httpQueryParameterName].filter(
    (one) => one.given,
  );
  if (given.length > 1) field.error('contradiction', 'only one hash key may be given', 'keep one');
  if (given.length === 0) field.error('missing-field', 'a hash key must be given', 'as httpHeaderName: x-user');
  if (fields.ringHash.given && fields.maglev.given)
    field.error('contradiction', 'ringHash and maglev are both given', 'keep one');
  oldForm(fields.minimumRingSize, 'ringHash: {minimumRingSize: …}');
  const old = bounded(fields.minimumRingSize, LARGEST_RING);
  const ring = bounded(fieldsOf(fields.ringHash, ['minimumRingSize']).minimumRingSize, LARGEST_RING);
  const { tableSize } = fieldsOf(fields.maglev, ['tableSize']);
  const table = bounded(tableSize, LARGEST_TABLE);
  if (table !== undefined && table <= LARGEST_TABLE && !isPrime(table))
    tableSize.error('out-of-range', `${table} is no prime number, which a Maglev table must be`, 'as 65537');
  const header = text(fields.httpHeaderName);
  const query = text(fields.httpQueryParameterName);
  const bySource = flag(fields.useSourceIp);
  const key: HashKey | undefined = fields.httpCookie.given
    ? cookie(fields.httpCookie)
    : header !== ''
      ? { kind: 'header', name: header }
      : query !== ''
        ? { kind: 'query-parameter', name: query }
        : bySource === true
          ? { kind: 'source-ip' }
          : undefined;
  if (key === undefined) return undefined;
  return { key, table: fields.maglev.given ? 'maglev' : 'ring', size: fields.maglev.given ? table : (ring ?? old) };
}
