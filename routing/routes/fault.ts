import { create } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import { HTTPFaultSchema } from '#gen/envoy/extensions/filters/http/fault/v3/fault_pb.js';
import type { Fault } from '../../mesh/model/virtual-service.ts';
import { duration } from '../wire/duration.ts';
import { fractionalPercent } from '../wire/percent.ts';

export const FAULT_FILTER = 'envoy.filters.http.fault';

/** A route's own fault; the filter in the chain has none. */
export function faultOf(fault: Fault): Any {
  const { delay, abort } = fault;
  const status =
    abort?.grpcStatus !== undefined
      ? { case: 'grpcStatus' as const, value: abort.grpcStatus }
      : { case: 'httpStatus' as const, value: abort?.httpStatus ?? 503 };
  return anyPack(
    HTTPFaultSchema,
    create(HTTPFaultSchema, {
      ...(delay === undefined
        ? {}
        : {
            delay: {
              percentage: fractionalPercent(delay.percentage),
              faultDelaySecifier: { case: 'fixedDelay', value: duration(delay.fixedMs) },
            },
          }),
      ...(abort === undefined ? {} : { abort: { percentage: fractionalPercent(abort.percentage), errorType: status } }),
    }),
  );
}
