import type { CustomTag, CustomTags } from '../../model/telemetry.ts';
import { entriesOf, type Field, fieldsOf } from '../field.ts';
import { shorten } from '../node.ts';
import { optionalText, requiredText } from '../scalar.ts';

const MOST_TAGS = 100;
/** RFC 9110, section 5.1; Envoy refuses others. */
const HEADER_NAME = /^:?[-_.~!#$%&'*+^`|A-Za-z0-9]+$/;
const KINDS = ['literal', 'header', 'environment'] as const;

function tag(field: Field): CustomTag | undefined {
  const fields = fieldsOf(field, [...KINDS, 'formatter']);
  if (fields.formatter.given) {
    fields.formatter.warning('not-yet-applied', 'a formatter is not applied yet', 'the rest of the object is in effect');
    return undefined;
  }
  const given = KINDS.filter((kind) => fields[kind].given);
  const [kind] = given;
  if (kind === undefined || given.length > 1) {
    field.error('contradiction', 'a tag has exactly one source', 'give one of literal, header, environment');
    return undefined;
  }
  if (kind === 'literal') return { kind, value: requiredText(fieldsOf(fields.literal, ['value']).value) };
  const source = fieldsOf(fields[kind], ['name', 'defaultValue']);
  const name = requiredText(source.name);
  if (kind === 'header' && name !== '' && !HEADER_NAME.test(name))
    source.name.error('bad-header', `"${shorten(name)}" is no header name`);
  return { kind, name, defaultValue: optionalText(source.defaultValue) ?? '' };
}

/** Tags by their names; undefined when the field is absent, so that those of the level above stay. */
export function customTags(field: Field): CustomTags | undefined {
  if (!field.given) return undefined;
  const entries = entriesOf(field);
  if (entries.length > MOST_TAGS) field.error('out-of-range', `has more than ${MOST_TAGS} tags`);
  const read = entries.flatMap(([name, value]) => {
    if (name === '') value.error('bad-name', 'a tag has no name', 'name it');
    const one = tag(value);
    return one === undefined ? [] : [[name, one] as const];
  });
  return Object.fromEntries(read);
}
