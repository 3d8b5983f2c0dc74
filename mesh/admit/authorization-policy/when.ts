import type { When } from '../../model/authorization-policy.ts';
import { isAddressBlock } from '../address.ts';
import { closest } from '../closest.ts';
import { type Field, fieldsOf } from '../field.ts';
import { shorten } from '../node.ts';
import { requiredText } from '../scalar.ts';
import { account, block, trustDomain } from './source.ts';
import { portNumber } from './operation.ts';
import { condition, type ReadItem } from './pattern.ts';

/** What the values of a condition are. */
type ValueType = 'text' | 'address' | 'port' | 'account' | 'trust-domain';

/** The attributes Istio documents for conditions. */
const KEYS: Readonly<Record<string, ValueType>> = Object.freeze({
  'source.ip': 'address',
  'remote.ip': 'address',
  'source.namespace': 'text',
  'source.principal': 'text',
  'source.serviceAccount': 'account',
  'source.trustDomain': 'trust-domain',
  'request.auth.principal': 'text',
  'request.auth.audiences': 'text',
  'request.auth.presenter': 'text',
  'destination.ip': 'address',
  'destination.port': 'port',
  'connection.sni': 'text',
});
/** A field name of RFC 9110, section 5.1, or one of HTTP/2's own (`:path`). Envoy refuses a whole filter for one that is none. */
const HEADER = /^request\.headers\[:?[\w!#$%&'*+.^`|~-]+\]$/;
const CLAIM = /^request\.auth\.claims(\[[^\][]+\])+$/;
const EXPERIMENTAL = /^experimental\.envoy\.filters\.[a-zA-Z_]+(\.[a-zA-Z_]+)*\[[^\]]+\]$/;

/** What a condition's values are; undefined when the key is not known. */
function typeOf(key: string): ValueType | undefined {
  if (HEADER.test(key) || CLAIM.test(key) || EXPERIMENTAL.test(key)) return 'text';
  return Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
}

export function when(field: Field): When {
  const fields = fieldsOf(field, ['key', 'values', 'notValues']);
  const key = requiredText(fields.key, 'as key: source.namespace');
  const type = typeOf(key);
  if (key !== '' && type === undefined) {
    const near = closest(key, [...Object.keys(KEYS), 'request.headers', 'request.auth.claims']);
    const hint =
      near?.startsWith('request.') === true && !Object.hasOwn(KEYS, near)
        ? `write ${near}[NAME]`
        : near === undefined
          ? undefined
          : `did you mean ${near}?`;
    fields.key.error(
      'unknown-value',
      `"${shorten(key)}" is no attribute of a request`,
      hint ?? `use one of ${Object.keys(KEYS).join(', ')}, request.headers[NAME], request.auth.claims[NAME]`,
    );
  }
  if (!fields.values.given && !fields.notValues.given)
    field.error('missing-field', 'values or notValues must be given', 'as values: ["..."]');
  return { key, values: condition(fields.values, fields.notValues, READ[type ?? 'text']) };
}

const READ: Readonly<Record<ValueType, ReadItem<string>>> = Object.freeze({
  text: (_, written) => written,
  address: (item, written) => (isAddressBlock(written) ? written : block(item, written)),
  account: (item, written) => (account(item, written) === undefined ? undefined : written),
  'trust-domain': (item, written) => (trustDomain(item, written) === undefined ? undefined : written),
  port: (item, written) => (portNumber(item, written) === undefined ? undefined : written),
});
