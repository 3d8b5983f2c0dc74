import { create } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import { type LocalRateLimit, LocalRateLimitSchema } from '#gen/gatehouse/envoy/v3/local_rate_limit_pb.js';
import { keyOf } from '../../mesh/model/object.ts';
import type { Limit, RateLimit } from '../../mesh/model/rate-limit.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Workload } from '../../mesh/model/workload.ts';
import { kept } from '../kept.ts';
import { rateLimitsFor } from './applying.ts';
import { counted } from './descriptors.ts';

/**
 * Where limits count. `arriving`: every request, before anything else is asked about it. `allowed`: those that policies let through, so that
 * nobody uses up what others share, or what is another's by a header, with requests that are refused. See docs/decisions/0014.
 */
export const STAGES = Object.freeze(['arriving', 'allowed'] as const);
export type Stage = (typeof STAGES)[number];

export const RATE_LIMIT_TYPE = `type.googleapis.com/${LocalRateLimitSchema.typeName}`;

export const rateLimitFilterName = (stage: Stage): string => `envoy.filters.http.local_ratelimit.${stage}`;

/**
 * How many clients, or values of a header, have a bucket of their own for one limit; beyond, the one not seen for longest begins anew. Envoy's
 * default of 20 would give a client that uses 21 addresses a full bucket each time. A bucket takes 0.5 KB.
 */
const MOST_BUCKETS = 20_000;

const ALWAYS = Object.freeze({ defaultValue: { numerator: 100 } });

/** A limit that is about clients by their addresses counts what they send; any other what is let through. */
function stageOf({ by, clientAddresses }: Limit): Stage {
  return by.kind === 'clientAddress' || (by.kind === 'all' && clientAddresses.length > 0) ? 'arriving' : 'allowed';
}

function filter(objects: readonly RateLimit[], stage: Stage): LocalRateLimit | undefined {
  const all = objects.flatMap(({ meta, limits }) =>
    limits.filter((limit) => stageOf(limit) === stage).flatMap((limit) => counted(`${keyOf(meta)}/${limit.name}`, limit)),
  );
  if (all.length === 0) return undefined;
  return create(LocalRateLimitSchema, {
    statPrefix: `rate_limit_${stage}`,
    filterEnabled: ALWAYS,
    filterEnforced: ALWAYS,
    descriptors: all.map(({ bucket }) => bucket),
    rateLimits: all.map(({ actions }) => ({ actions: [...actions] })),
    maxDynamicDescriptors: MOST_BUCKETS,
    // There is no bucket for requests that no limit is about.
    alwaysConsumeDefaultTokenBucket: false,
    rateLimitedAsResourceExhausted: true,
    enableRetryAfterHeader: true,
  });
}

/** By the RateLimits that apply: replicas and other workloads under the same ones share a message. */
const made = kept<RateLimit, Any | undefined>(16);

/** The limits of a stage in front of a workload; undefined when there are none. */
export function rateLimitFilter(snapshot: Snapshot, workload: Workload, stage: Stage): Any | undefined {
  const objects = rateLimitsFor(snapshot, workload);
  const [first] = objects;
  if (first === undefined) return undefined;
  return made.get(first, [stage, ...objects], () => {
    const message = filter(objects, stage);
    return message === undefined ? undefined : anyPack(LocalRateLimitSchema, message);
  });
}

/** A filter that limits nothing. */
export const NO_LIMITS: Any = anyPack(LocalRateLimitSchema, create(LocalRateLimitSchema, { statPrefix: 'rate_limit_none' }));
