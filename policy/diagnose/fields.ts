import { written } from '../evaluate/text.ts';
import type { AuthorizationPolicy, Condition, PolicyMatch } from '../../mesh/model/authorization-policy.ts';

/** What a list of values is compared with. */
export type Attribute =
  | 'principals'
  | 'namespaces'
  | 'serviceAccounts'
  | 'trustDomains'
  | 'requestPrincipals'
  | 'ipBlocks'
  | 'remoteIpBlocks'
  | 'hosts'
  | 'ports'
  | 'methods'
  | 'paths'
  /** A header, claim or other attribute that only `when` can name. */
  | 'other';

/** One list of values in a rule, as written. */
export interface List {
  readonly rule: number;
  readonly attribute: Attribute;
  /** The name people know it by: `notPaths`, `request.headers[x]`. */
  readonly name: string;
  /** `spec.rules[0].from[0].source.principals`; a value is at `[n]` below. */
  readonly path: string;
  /** Values of which none may match. */
  readonly negated: boolean;
  readonly values: readonly string[];
}

/** Keys of `when` that say the same as a field of `from` or `to`. */
const SAME: ReadonlyMap<string, Attribute> = new Map<string, Attribute>([
  ['source.principal', 'principals'],
  ['source.namespace', 'namespaces'],
  ['source.serviceAccount', 'serviceAccounts'],
  ['source.trustDomain', 'trustDomains'],
  ['source.ip', 'ipBlocks'],
  ['remote.ip', 'remoteIpBlocks'],
  ['request.auth.principal', 'requestPrincipals'],
  ['destination.port', 'ports'],
]);

const FROM = Object.freeze([
  'principals',
  'namespaces',
  'serviceAccounts',
  'trustDomains',
  'requestPrincipals',
  'ipBlocks',
  'remoteIpBlocks',
] as const);
const TO = Object.freeze(['hosts', 'ports', 'methods', 'paths'] as const);

/** A value as it was written. */
export function writtenValue(value: PolicyMatch | string | number): string {
  return typeof value === 'object' ? written(value) : String(value);
}

function lists(
  rule: number,
  attribute: Attribute,
  name: string,
  path: string,
  notPath: string,
  field: Condition<PolicyMatch | string | number>,
): readonly List[] {
  const not = notPath.slice(notPath.lastIndexOf('.') + 1);
  return [
    ...(field.values.length === 0
      ? []
      : [{ rule, attribute, name, path, negated: false, values: field.values.map(writtenValue) }]),
    ...(field.notValues.length === 0
      ? []
      : [
          {
            rule,
            attribute,
            name: not === 'notValues' ? `${name} (notValues)` : not,
            path: notPath,
            negated: true,
            values: field.notValues.map(writtenValue),
          },
        ]),
  ];
}

function notName(name: string): string {
  return `not${name.charAt(0).toUpperCase()}${name.slice(1)}`;
}

const known = new WeakMap<AuthorizationPolicy, readonly List[]>();

/** Every list of values that a policy has, in the order written. */
export function listsOf(policy: AuthorizationPolicy): readonly List[] {
  const before = known.get(policy);
  if (before !== undefined) return before;
  const found = policy.rules.flatMap((rule, at) => {
    const root = `spec.rules[${at}]`;
    return [
      ...rule.from.flatMap((source, index) =>
        FROM.flatMap((name) => {
          const base = `${root}.from[${index}].source`;
          return lists(at, name, name, `${base}.${name}`, `${base}.${notName(name)}`, source[name]);
        }),
      ),
      ...rule.to.flatMap((operation, index) =>
        TO.flatMap((name) => {
          const base = `${root}.to[${index}].operation`;
          return lists(at, name, name, `${base}.${name}`, `${base}.${notName(name)}`, operation[name]);
        }),
      ),
      ...rule.when.flatMap(({ key, values }, index) => {
        const base = `${root}.when[${index}]`;
        return lists(at, SAME.get(key) ?? 'other', key, `${base}.values`, `${base}.notValues`, values);
      }),
    ];
  });
  known.set(policy, found);
  return found;
}

/** True for what only HTTP has. */
export function isHttpOnly({ attribute, name }: List): boolean {
  switch (attribute) {
    case 'hosts':
    case 'methods':
    case 'paths':
    case 'requestPrincipals':
      return true;
    case 'other':
      return name.startsWith('request.');
    case 'principals':
    case 'namespaces':
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

/** True for what only a caller with a certificate has. */
export function isIdentity({ attribute }: List): boolean {
  return (
    attribute === 'principals' || attribute === 'namespaces' || attribute === 'serviceAccounts' || attribute === 'trustDomains'
  );
}
