import { isIPv4, isIPv6 } from 'node:net';
import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import { finding, quoted } from './finding.ts';
import { listsOf } from './fields.ts';
import type { Survey } from './survey.ts';

/** An address as a number; IPv6 in any of its written forms. */
function numberOf(address: string): bigint | undefined {
  if (isIPv4(address)) return address.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
  if (!isIPv6(address) || address.includes('%')) return undefined;
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const hex = (high: string | undefined, low: string | undefined): string => ((Number(high) << 8) | Number(low)).toString(16);
  const text = dotted === null ? address : `${dotted[1] ?? ''}${hex(dotted[2], dotted[3])}:${hex(dotted[4], dotted[5])}`;
  const [head = '', tail] = text.split('::');
  const groups = (part: string): readonly string[] => (part === '' ? [] : part.split(':'));
  const [front, back] = [groups(head), groups(tail ?? '')];
  const zeros = tail === undefined ? 0 : 8 - front.length - back.length;
  const all = [...front, ...Array.from({ length: zeros }, () => '0'), ...back];
  return all.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}

function textOf(value: bigint, v4: boolean): string {
  if (v4) return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join('.');
  return Array.from({ length: 8 }, (_, at) => ((value >> BigInt(112 - at * 16)) & 0xffffn).toString(16)).join(':');
}

/** The block that a text means when it has bits set after its prefix; undefined when it has none. */
function withoutHostBits(text: string): string | undefined {
  const [address = '', bits] = text.split('/');
  const value = numberOf(address);
  if (bits === undefined || value === undefined) return undefined;
  const v4 = isIPv4(address);
  if (!/^\d{1,3}$/.test(bits) || Number(bits) > (v4 ? 32 : 128)) return undefined;
  const rest = BigInt((v4 ? 32 : 128) - Number(bits));
  const network = (value >> rest) << rest;
  return network === value ? undefined : `${textOf(network, v4)}/${bits}`;
}

/** CIDR blocks with bits after their prefix: they mean the whole block, which may be more than was meant. */
export function hostBits({ policies }: Survey): readonly Diagnostic[] {
  return policies.flatMap((policy) =>
    listsOf(policy)
      .filter(
        ({ attribute, name }) =>
          attribute === 'ipBlocks' ||
          attribute === 'remoteIpBlocks' ||
          (attribute === 'other' && name.startsWith('destination.ip')),
      )
      .flatMap((list) =>
        list.values.flatMap((value, at) => {
          const block = withoutHostBits(value);
          if (block === undefined) return [];
          const [address = ''] = value.split('/');
          return [
            finding(
              policy.meta,
              `${list.path}[${at}]`,
              'warning',
              'host-bits',
              `${quoted(value)} has bits set after its prefix; all of ${block} matches`,
              `write ${quoted(block)}, or ${quoted(address)} for that one address`,
            ),
          ];
        }),
      ),
  );
}
