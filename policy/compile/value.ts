import { isIP } from 'node:net';
import type { PolicyMatch } from '../../mesh/model/authorization-policy.ts';
import { escapeRegex } from './regex.ts';
import type { AddressBlock, Text } from './test.ts';

/** RE2 for any text that is not empty. */
const PRESENT: Text = Object.freeze({ kind: 'regex', value: '(?s).+' });

/** A value of a `when` condition with its wildcard, first or last. */
export function parseMatch(text: string): PolicyMatch {
  if (text === '*') return { kind: 'present' };
  if (text.startsWith('*')) return { kind: 'suffix', value: text.slice(1) };
  return text.endsWith('*') ? { kind: 'prefix', value: text.slice(0, -1) } : { kind: 'exact', value: text };
}

/** `{*}` is one segment that is not empty, `{**}` anything; the rest is literal. */
function template(text: string): Text {
  const parts = text.split(/(\{\*\*?\})/).map((part) => {
    if (part === '{**}') return '.*';
    return part === '{*}' ? '[^/]+' : escapeRegex(part);
  });
  return { kind: 'regex', value: `(?s)${parts.join('')}` };
}

/** How Envoy matches a text against a value. */
export function textOf(value: PolicyMatch): Text {
  switch (value.kind) {
    case 'exact':
      return { kind: 'exact', value: value.value };
    // An empty prefix or suffix is refused by Envoy, and is what presence means.
    case 'prefix':
      return value.value === '' ? PRESENT : { kind: 'prefix', value: value.value };
    case 'suffix':
      return value.value === '' ? PRESENT : { kind: 'suffix', value: value.value };
    case 'present':
      return PRESENT;
    case 'template':
      return template(value.value);
    default:
      return value satisfies never;
  }
}

/** An address or CIDR block; undefined when it is none. */
export function parseBlock(text: string): AddressBlock | undefined {
  const slash = text.indexOf('/');
  const address = slash < 0 ? text : text.slice(0, slash);
  const family = isIP(address);
  if (family === 0 || address.includes('%')) return undefined;
  const longest = family === 4 ? 32 : 128;
  if (slash < 0) return { address, bits: longest };
  const suffix = text.slice(slash + 1);
  if (!/^\d{1,3}$/.test(suffix)) return undefined;
  const bits = Number(suffix);
  return bits > longest ? undefined : { address, bits };
}
