import type { MessageInitShape } from '@bufbuild/protobuf';
import type {
  LocalRateLimit_ActionSchema,
  LocalRateLimit_BucketSchema,
  LocalRateLimit_EntrySchema,
} from '#gen/gatehouse/envoy/v3/local_rate_limit_pb.js';
import type { Limit } from '../../mesh/model/rate-limit.ts';
import { cidrRange } from '../wire/address.ts';
import { duration } from '../wire/duration.ts';
import { absent, matchers } from './match.ts';

type Action = MessageInitShape<typeof LocalRateLimit_ActionSchema>;
type Entry = MessageInitShape<typeof LocalRateLimit_EntrySchema>;
type Bucket = MessageInitShape<typeof LocalRateLimit_BucketSchema>;

/** What is asked of a request, and the entry of the descriptor that comes of it. An entry without a value: each has its own bucket. */
interface Part {
  readonly action: Action;
  readonly entry: Entry;
}

/** How requests are counted: what makes a descriptor of one, and the bucket that the descriptor draws from. */
export interface Counted {
  readonly actions: readonly Action[];
  readonly bucket: Bucket;
}

/** One network of IPv6 is one client: who has an address there has 2^64 of them. */
const CLIENT_BITS = Object.freeze({ v4PrefixMaskLen: 32, v6PrefixMaskLen: 64 });
const HOLDS = 'matched';

function named(descriptorKey: string, descriptorValue: string): Part {
  return {
    action: { actionSpecifier: { case: 'genericKey', value: { descriptorKey, descriptorValue } } },
    entry: { key: descriptorKey, value: descriptorValue },
  };
}

function holding(descriptorKey: string, headers: ReturnType<typeof matchers>): readonly Part[] {
  if (headers.length === 0) return [];
  const value = { descriptorKey, descriptorValue: HOLDS, headers: [...headers] };
  return [{ action: { actionSpecifier: { case: 'headerValueMatch', value } }, entry: { key: descriptorKey, value: HOLDS } }];
}

function fromAddresses(blocks: readonly string[]): readonly Part[] {
  if (blocks.length === 0) return [];
  const value = { descriptorKey: 'address', descriptorValue: HOLDS, addressMatcher: { ranges: blocks.map(cidrRange) } };
  return [{ action: { actionSpecifier: { case: 'remoteAddressMatch', value } }, entry: { key: 'address', value: HOLDS } }];
}

/** One way for each kind of request that has buckets of its own; without a header requests share one, so that leaving it out is no way around. */
function ways({ by }: Limit): readonly (readonly Part[])[] {
  switch (by.kind) {
    case 'all':
      return [[]];
    case 'clientAddress': {
      const action: Action = { actionSpecifier: { case: 'maskedRemoteAddress', value: CLIENT_BITS } };
      return [[{ action, entry: { key: 'masked_remote_address' } }]];
    }
    case 'header': {
      const value = { headerName: by.name, descriptorKey: 'header' };
      const present: Part = { action: { actionSpecifier: { case: 'requestHeaders', value } }, entry: { key: 'header' } };
      return [[present], holding('no-header', [absent(by.name)])];
    }
    default:
      return by satisfies never;
  }
}

/** @param name unique among all limits of a proxy */
export function counted(name: string, limit: Limit): readonly Counted[] {
  const { requests, perMs, burst, match, clientAddresses } = limit;
  const tokenBucket = { maxTokens: burst, tokensPerFill: requests, fillInterval: duration(perMs) };
  const always = [named('limit', name), ...holding('match', matchers(match)), ...fromAddresses(clientAddresses)];
  return ways(limit).map((way) => {
    const parts = [...always, ...way];
    return { actions: parts.map(({ action }) => action), bucket: { entries: parts.map(({ entry }) => entry), tokenBucket } };
  });
}
