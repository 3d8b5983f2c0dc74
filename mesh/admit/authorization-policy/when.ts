import type { When } from '../../model/authorization-policy.ts';
import { isAddressBlock } from '../address.ts';
import { closest } from '../closest.ts';
import { type Field, fieldsOf } from '../field.ts';
import { shorten } from '../node.ts';
import { requiredText } from '../scalar.ts';
import { block } from './source.ts';
import { portNumber } from './operation.ts';
import { condition, type ReadItem } from './pattern.ts';

/** The attributes Istio documents for conditions. */
const KEYS: Readonly<Record<string, 'text' | 'address' | 'port'>> = Object.freeze({
  'source.ip': 'address',
  'remote.ip': 'address',
  'source.namespace': 'text',
  'source.principal': 'text',
  'request.auth.principal': 'text',
  'request.auth.audiences': 'text',
  'request.auth.presenter': 'text',
  'destination.ip': 'address',
  'destination.port': 'port',
  'connection.sni': 'text',
});
const HEADER = /^request\.headers\[([^\]]+)\]$/;
const CLAIM = /^request\.auth\.claims(\[[^\][]+\])+$/;
const EXPERIMENTAL = /^experimental\.envoy\.filters\.[a-zA-Z_]+(\.[a-zA-Z_]+)*\[[^\]]+\]$/;

/** What a condition's values are; undefined when the key is not known. */
function typeOf(key: string): 'text' | 'address' | 'port' | undefined {
  if (HEADER.test(key) || CLAIM.test(key)) return 'text';
  return Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
}

export function when(field: Field): When {
  const fields = fieldsOf(field, ['key', 'values', 'notValues']);
  const key = requiredText(fields.key, 'as key: source.namespace');
  const type = typeOf(key);
  if (EXPERIMENTAL.test(key)) {
    fields.key.error(
      'not-supported',
      `${shorten(key)} is not supported`,
      'conditions on the metadata of Envoy filters have no stable meaning',
    );
  } else if (key !== '' && type === undefined) {
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

const READ: Readonly<Record<'text' | 'address' | 'port', ReadItem<string>>> = Object.freeze({
  text: (_, written) => written,
  address: (item, written) => (isAddressBlock(written) ? written : block(item, written)),
  port: (item, written) => (portNumber(item, written) === undefined ? undefined : written),
});
