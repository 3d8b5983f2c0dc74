import { create } from '@bufbuild/protobuf';
import {
  type FractionalPercent,
  FractionalPercent_DenominatorType,
  FractionalPercentSchema,
} from '#gen/envoy/type/v3/percent_pb.js';

/** A percentage (0 to 100, fractions allowed) at Envoy's finest grain: parts of a million. */
export function fractionalPercent(percentage: number): FractionalPercent {
  const numerator = Math.round(Math.min(Math.max(percentage, 0), 100) * 10_000);
  return create(FractionalPercentSchema, { numerator, denominator: FractionalPercent_DenominatorType.MILLION });
}
