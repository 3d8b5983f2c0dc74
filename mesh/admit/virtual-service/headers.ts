import type { HeaderOperations, Headers } from '../../model/virtual-service.ts';
import { type Field, entriesOf, fieldsOf, itemsOf } from '../field.ts';
import { shorten } from '../node.ts';
import { requiredText, text } from '../scalar.ts';

const NAME = /^[-_A-Za-z0-9]+$/;
const FOREVER_ENVOYS = Object.freeze([':authority', 'host']);

/** Checks a header name as Istio does: token characters; pseudo headers belong to the protocol, except :authority where a rule sets it. */
function checkName(field: Field, name: string): void {
  if (!NAME.test(name) && !FOREVER_ENVOYS.includes(name.toLowerCase())) {
    field.error('bad-header', `"${shorten(name)}" is no header name that can be changed`, 'letters, digits, "-" and "_"');
  }
}

export function addedHeaders(field: Field): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const [name, value] of entriesOf(field)) {
    checkName(value, name);
    const written = text(value);
    checkValue(value, written);
    found[name] = written;
  }
  return found;
}

export function removedHeaders(field: Field): readonly string[] {
  return itemsOf(field).map((item) => {
    const name = requiredText(item);
    if (name !== '') checkName(item, name);
    return name;
  });
}

function operations(field: Field): HeaderOperations {
  const fields = fieldsOf(field, ['set', 'add', 'remove']);
  return { set: addedHeaders(fields.set), add: addedHeaders(fields.add), remove: removedHeaders(fields.remove) };
}

/** Envoy reads `%COMMAND%` in values; a lone percent sign makes it refuse the whole route configuration. */
function checkValue(field: Field, value: string): void {
  if (['\0', '\r', '\n'].some((one) => value.includes(one))) {
    field.error('bad-header', 'the value holds a line break or a NUL', 'remove it');
    return;
  }
  const rest = value.replaceAll('%%', '').replaceAll(/%[A-Z][A-Z0-9_]*(\([^)]*\))?(:\d+)?%/g, '');
  if (rest.includes('%'))
    field.error('bad-header', `"${shorten(value)}" has a % that begins no Envoy command`, 'write %% for a percent sign');
}

export function headers(field: Field): Headers | undefined {
  if (!field.given) return undefined;
  const fields = fieldsOf(field, ['request', 'response']);
  return { request: operations(fields.request), response: operations(fields.response) };
}
