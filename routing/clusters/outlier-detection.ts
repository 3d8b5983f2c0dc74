import { create } from '@bufbuild/protobuf';
import { type OutlierDetection, OutlierDetectionSchema } from '#gen/envoy/config/cluster/v3/outlier_detection_pb.js';
import type { OutlierDetection as Wanted } from '../../mesh/model/destination-rule.ts';
import { type MatchPredicate, MatchPredicateSchema } from '#gen/envoy/config/common/matcher/v3/matcher_pb.js';
import { HeaderMatcherSchema } from '#gen/envoy/config/route/v3/route_components_pb.js';
import { duration } from '../wire/duration.ts';

const enforcing = (count: number | undefined) => (count === undefined ? undefined : count > 0 ? 100 : 0);
const time = (ms: number | undefined) => (ms === undefined ? undefined : duration(ms));

/** Only counts of consecutive errors eject; Envoy's statistical ejection, on by default, is turned off as Istio does. */
export function outlierDetection(wanted: Wanted): OutlierDetection {
  return create(OutlierDetectionSchema, {
    consecutive5xx: wanted.consecutive5xx,
    enforcingConsecutive5xx: enforcing(wanted.consecutive5xx),
    consecutiveGatewayFailure: wanted.consecutiveGateway,
    enforcingConsecutiveGatewayFailure: enforcing(wanted.consecutiveGateway),
    consecutiveLocalOriginFailure: wanted.consecutiveLocalOrigin,
    enforcingConsecutiveLocalOriginFailure: enforcing(wanted.consecutiveLocalOrigin),
    splitExternalLocalOriginErrors: wanted.splitExternalLocalOrigin,
    interval: time(wanted.intervalMs),
    baseEjectionTime: time(wanted.baseEjectionMs),
    maxEjectionPercent: wanted.maxEjectionPercent,
    enforcingSuccessRate: 0,
  });
}

/** Answers with one of these codes are errors of the server, and no others (a list of Envoy's has two entries at least). */
export function errorsOf(codes: readonly number[]): MatchPredicate {
  const rules = codes.map((code) =>
    create(MatchPredicateSchema, {
      rule: {
        case: 'httpResponseHeadersMatch',
        value: {
          headers: [
            create(HeaderMatcherSchema, {
              name: ':status',
              headerMatchSpecifier: { case: 'stringMatch', value: { matchPattern: { case: 'exact', value: String(code) } } },
            }),
          ],
        },
      },
    }),
  );
  const [first] = rules;
  return rules.length === 1 && first !== undefined
    ? first
    : create(MatchPredicateSchema, { rule: { case: 'orMatch', value: { rules } } });
}
