import { create } from '@bufbuild/protobuf';
import { type OutlierDetection, OutlierDetectionSchema } from '#gen/envoy/config/cluster/v3/outlier_detection_pb.js';
import type { OutlierDetection as Wanted } from '../../mesh/model/destination-rule.ts';
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
