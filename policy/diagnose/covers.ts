import { BlockList, isIP } from 'node:net';
import type { Condition, Operation, PolicyMatch, Rule, Source } from '../../mesh/model/authorization-policy.ts';

// Whether one condition holds wherever another one does. Every answer is on the safe side: `false` when it cannot be told.

/** True when everything that `narrow` matches, `wide` matches. */
export function matchCovers(wide: PolicyMatch, narrow: PolicyMatch): boolean {
  switch (wide.kind) {
    case 'present':
      return narrow.kind !== 'template' && (narrow.kind === 'present' || narrow.value !== '');
    case 'exact':
      return narrow.kind === 'exact' && narrow.value === wide.value;
    case 'prefix':
      return (narrow.kind === 'exact' || narrow.kind === 'prefix') && narrow.value.startsWith(wide.value);
    case 'suffix':
      return (narrow.kind === 'exact' || narrow.kind === 'suffix') && narrow.value.endsWith(wide.value);
    case 'template':
      return narrow.kind === 'template' && narrow.value === wide.value;
    default:
      return wide satisfies never;
  }
}

/** True when nothing can match both. */
function disjoint(one: PolicyMatch, other: PolicyMatch): boolean {
  if (one.kind === 'exact')
    return other.kind === 'exact' ? one.value !== other.value : isPlain(other) && !matchCovers(other, one);
  if (other.kind === 'exact') return isPlain(one) && !matchCovers(one, other);
  if (one.kind === 'prefix' && other.kind === 'prefix')
    return !one.value.startsWith(other.value) && !other.value.startsWith(one.value);
  if (one.kind === 'suffix' && other.kind === 'suffix')
    return !one.value.endsWith(other.value) && !other.value.endsWith(one.value);
  return false;
}

function isPlain({ kind }: PolicyMatch): boolean {
  return kind !== 'template';
}

interface Block {
  readonly address: string;
  readonly bits: number;
  readonly family: 'ipv4' | 'ipv6';
}

function parseBlock(text: string): Block | undefined {
  const [address = '', bits] = text.split('/');
  const version = address.includes('%') ? 0 : isIP(address);
  if (version === 0) return undefined;
  const most = version === 4 ? 32 : 128;
  const length = bits === undefined ? most : Number(bits);
  return length <= most ? { address, bits: length, family: version === 4 ? 'ipv4' : 'ipv6' } : undefined;
}

/** True when every address of `narrow` is in `wide`. */
function blockCovers(wide: string, narrow: string): boolean {
  const [one, other] = [parseBlock(wide), parseBlock(narrow)];
  if (one === undefined || other === undefined) return false;
  if (one.family !== other.family || one.bits > other.bits) return false;
  const list = new BlockList();
  list.addSubnet(one.address, one.bits, one.family);
  return list.check(other.address, other.family);
}

type Covers<T> = (wide: T, narrow: T) => boolean;

function conditionCovers<T>(wide: Condition<T>, narrow: Condition<T>, covers: Covers<T>, apart: Covers<T>): boolean {
  if (wide.values.length > 0) {
    if (narrow.values.length === 0) return false;
    if (!narrow.values.every((value) => wide.values.some((one) => covers(one, value)))) return false;
  }
  return wide.notValues.every(
    (excluded) =>
      narrow.notValues.some((one) => covers(one, excluded)) ||
      (narrow.values.length > 0 && narrow.values.every((value) => apart(excluded, value))),
  );
}

const equal = <T>(one: T, other: T): boolean => one === other;
const differ = <T>(one: T, other: T): boolean => one !== other;
const never = (): boolean => false;

function text(wide: Condition<PolicyMatch>, narrow: Condition<PolicyMatch>): boolean {
  return conditionCovers(wide, narrow, matchCovers, disjoint);
}

/** Hosts may be met with a port behind them, which never helps the caller: what is not among them cannot be told by their texts. */
function hosts(wide: Condition<PolicyMatch>, narrow: Condition<PolicyMatch>): boolean {
  return conditionCovers(wide, narrow, matchCovers, never);
}

function blocks(wide: Condition<string>, narrow: Condition<string>): boolean {
  return conditionCovers(wide, narrow, blockCovers, never);
}

function sourceCovers(wide: Source, narrow: Source): boolean {
  return (
    text(wide.principals, narrow.principals) &&
    text(wide.namespaces, narrow.namespaces) &&
    text(wide.serviceAccounts, narrow.serviceAccounts) &&
    text(wide.trustDomains, narrow.trustDomains) &&
    text(wide.requestPrincipals, narrow.requestPrincipals) &&
    blocks(wide.ipBlocks, narrow.ipBlocks) &&
    blocks(wide.remoteIpBlocks, narrow.remoteIpBlocks)
  );
}

function operationCovers(wide: Operation, narrow: Operation): boolean {
  return (
    text(wide.paths, narrow.paths) &&
    text(wide.methods, narrow.methods) &&
    hosts(wide.hosts, narrow.hosts) &&
    conditionCovers(wide.ports, narrow.ports, equal, differ)
  );
}

/** True when `wide` matches every request that `narrow` matches, both read in the same namespace. */
export function ruleCovers(wide: Rule, narrow: Rule): boolean {
  if (wide.to.length > 0) {
    if (narrow.to.length === 0) return false;
    if (!narrow.to.every((one) => wide.to.some((other) => operationCovers(other, one)))) return false;
  }
  if (wide.from.length > 0) {
    if (narrow.from.length === 0) return false;
    if (!narrow.from.every((one) => wide.from.some((other) => sourceCovers(other, one)))) return false;
  }
  return wide.when.every((one) =>
    narrow.when.some((other) => other.key === one.key && conditionCovers(one.values, other.values, equal, never)),
  );
}

/** {@link excludesAll} for hosts, also when a port follows them. */
export function excludesAllHosts({ values, notValues }: Condition<PolicyMatch>, allows: boolean): boolean {
  return excludesAll({
    values,
    notValues: allows ? notValues : notValues.filter(({ kind }) => kind === 'prefix' || kind === 'present'),
  });
}

/** True when everything is excluded that is listed. */
export function excludesAll(field: Condition<PolicyMatch>): boolean {
  return (
    field.values.length > 0 && field.values.every((value) => field.notValues.some((excluded) => matchCovers(excluded, value)))
  );
}

export function excludesAllBlocks(field: Condition<string>): boolean {
  return (
    field.values.length > 0 && field.values.every((value) => field.notValues.some((excluded) => blockCovers(excluded, value)))
  );
}

export function excludesAllPorts(field: Condition<number>): boolean {
  return field.values.length > 0 && field.values.every((value) => field.notValues.includes(value));
}
