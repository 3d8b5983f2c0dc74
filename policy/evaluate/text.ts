import type { PolicyMatch } from '../../mesh/model/authorization-policy.ts';

/** A value as policies write them; a `*` counts at either end. */
export function valueOf(text: string): PolicyMatch {
  const [first, last] = [text.startsWith('*'), text.endsWith('*')];
  if (text === '*') return { kind: 'present' };
  if (first) return { kind: 'suffix', value: text.slice(1) };
  return last ? { kind: 'prefix', value: text.slice(0, -1) } : { kind: 'exact', value: text };
}

/** As the value is written. */
export function written(value: PolicyMatch): string {
  switch (value.kind) {
    case 'exact':
    case 'template':
      return value.value;
    case 'prefix':
      return `${value.value}*`;
    case 'suffix':
      return `*${value.value}`;
    case 'present':
      return '*';
    default:
      return value satisfies never;
  }
}

export type TextTest = (text: string) => boolean;

/** True when the text is what the value says. A wildcard alone stands for any text but the empty one. */
export function isText(value: PolicyMatch, text: string): boolean {
  switch (value.kind) {
    case 'exact':
      return text === value.value;
    case 'prefix':
      return value.value === '' ? text !== '' : text.startsWith(value.value);
    case 'suffix':
      return value.value === '' ? text !== '' : text.endsWith(value.value);
    case 'present':
      return text !== '';
    case 'template':
      return isTemplate(value.value, text);
    default:
      return value satisfies never;
  }
}

/** {@link isText} for one of several values: any number of exact ones is one look-up. */
export function isOneOf(values: readonly PolicyMatch[]): TextTest {
  const exact = new Set(values.flatMap((value) => (value.kind === 'exact' ? [value.value] : [])));
  const others = values.filter(({ kind }) => kind !== 'exact');
  return (text) => exact.has(text) || others.some((value) => isText(value, text));
}

/** `{*}`: one segment that is not empty; `{**}`: anything, slashes too. */
function isTemplate(template: string, text: string): boolean {
  const parts = template.split(/(\{\*\*?\})/);
  // The ends in `text` at which the parts so far can end; a template has few wildcards, a path few characters.
  let ends = new Set([0]);
  for (const part of parts) {
    const next = new Set<number>();
    for (const start of ends) {
      if (part === '{**}') for (let end = start; end <= text.length; end++) next.add(end);
      else if (part === '{*}') for (let end = start + 1; end <= text.length && text[end - 1] !== '/'; end++) next.add(end);
      else if (text.startsWith(part, start)) next.add(start + part.length);
    }
    ends = next;
  }
  return ends.has(text.length);
}
