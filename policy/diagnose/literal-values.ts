import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import { finding, quoted } from './finding.ts';
import { type List, listsOf } from './fields.ts';
import type { Survey } from './survey.ts';

/** What people write who think of regular expressions; the wildcard at an end is taken away before. */
const REGEX = /\.\*|\.\+|^\^|\$$|\\[.dws/]|\[[^\]]*-[^\]]*\]|\(\?|\|/;

/** Lists whose values are texts with `*` at one end. */
function isText({ attribute, name }: List): boolean {
  switch (attribute) {
    case 'principals':
    case 'namespaces':
    case 'requestPrincipals':
    case 'hosts':
    case 'methods':
    case 'paths':
      return true;
    case 'other':
      return name.startsWith('request.headers[');
    case 'serviceAccounts':
    case 'trustDomains':
    case 'ipBlocks':
    case 'remoteIpBlocks':
    case 'ports':
      return false;
    default:
      return attribute satisfies never;
  }
}

function isTemplate(value: string): boolean {
  return value.includes('{*}') || value.includes('{**}');
}

/** Header values and regular query strings may well hold such characters, so only signs that are clear count there. */
function problemOf({ attribute }: List, value: string): readonly [code: string, why: string, hint: string] | undefined {
  const wildcards = 'only "abc*", "*abc" and "*" are wildcards';
  if (attribute === 'paths' && isTemplate(value)) return undefined;
  if (attribute === 'other') {
    return /^\^|\.\*.|[^*]\$$/.test(value)
      ? ['regex-like-value', 'looks like a regular expression and is compared as plain text', wildcards]
      : undefined;
  }
  // `report.*` and `prefix.example.*` mean what they say; `/api/.*` does not.
  const plain = value === '*' ? '' : value.startsWith('*') ? value.slice(1) : value.endsWith('*') ? value.slice(0, -1) : value;
  const hint = attribute === 'paths' ? `${wildcards}; in paths also {*} for a segment and {**} for the rest` : wildcards;
  if (attribute === 'paths' && plain.endsWith('/.') && value.endsWith('.*'))
    return [
      'regex-like-value',
      `looks like a regular expression; it matches paths that begin with ${quoted(plain)}, and no other`,
      `write ${quoted(`${plain.slice(0, -1)}*`)}`,
    ];
  if (REGEX.test(plain)) return ['regex-like-value', 'looks like a regular expression and is compared as plain text', hint];
  if (plain.includes('*')) return ['inner-wildcard', 'has a "*" that is compared as plain text', hint];
  return undefined;
}

/** Values that look like patterns and are compared as plain text. */
export function literalValues({ policies }: Survey): readonly Diagnostic[] {
  return policies.flatMap((policy) =>
    listsOf(policy)
      .filter(isText)
      .flatMap((list) =>
        list.values.flatMap((value, at) => {
          const problem = problemOf(list, value);
          if (problem === undefined) return [];
          const [code, why, hint] = problem;
          return [finding(policy.meta, `${list.path}[${at}]`, 'warning', code, `${quoted(value)} ${why}`, hint)];
        }),
      ),
  );
}
