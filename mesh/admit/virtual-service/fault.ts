import type { Fault } from '../../model/virtual-service.ts';
import { duration } from '../duration.ts';
import { type Field, fieldsOf } from '../field.ts';
import { percentage, wholePercent } from '../percentage.ts';
import { integer, text } from '../scalar.ts';
import { oldForm, unapplied } from '../unapplied.ts';

const GRPC_STATUS = Object.freeze([
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
]);

/** The share of requests: today's `percentage`, or the whole `percent` of old; without either, all of them. */
function share(percentageField: Field, percentField: Field): number {
  oldForm(percentField, 'percentage: {value: N}');
  return percentage(percentageField) ?? wholePercent(percentField) ?? 100;
}

function abort(field: Field): Fault['abort'] {
  if (!field.given) return undefined;
  const fields = fieldsOf(field, ['httpStatus', 'grpcStatus', 'http2Error', 'percentage', 'percent']);
  const given = [fields.httpStatus, fields.grpcStatus, fields.http2Error].filter((one) => one.given);
  if (given.length !== 1) {
    field.error(
      'missing-field',
      given.length === 0 ? 'an abort needs a status' : 'only one status may be given',
      'give httpStatus, or grpcStatus for gRPC',
    );
  }
  unapplied(fields.http2Error, 'http2Error');
  const httpStatus = integer(fields.httpStatus, 200, 599);
  const name = text(fields.grpcStatus);
  const known = GRPC_STATUS.indexOf(name);
  if (fields.grpcStatus.given && known < 0)
    fields.grpcStatus.error('unknown-value', 'is no gRPC status', `use one of ${GRPC_STATUS.join(', ')}`);
  return { percentage: share(fields.percentage, fields.percent), httpStatus, grpcStatus: known < 0 ? undefined : known };
}

function delay(field: Field): Fault['delay'] {
  if (!field.given) return undefined;
  const fields = fieldsOf(field, ['fixedDelay', 'exponentialDelay', 'percentage', 'percent']);
  if (fields.exponentialDelay.given) {
    duration(fields.exponentialDelay, 1);
    if (fields.fixedDelay.given)
      field.error('contradiction', 'fixedDelay and exponentialDelay are both given', 'keep fixedDelay');
    unapplied(fields.exponentialDelay, 'exponentialDelay');
    return undefined;
  }
  if (!fields.fixedDelay.given) field.error('missing-field', 'a delay needs fixedDelay', 'as fixedDelay: 5s');
  return { percentage: share(fields.percentage, fields.percent), fixedMs: duration(fields.fixedDelay, 1) ?? 0 };
}

export function fault(field: Field): Fault | undefined {
  if (!field.given) return undefined;
  const fields = fieldsOf(field, ['delay', 'abort']);
  if (!fields.delay.given && !fields.abort.given)
    field.error('missing-field', 'a fault needs delay or abort', 'remove the empty fault');
  return { delay: delay(fields.delay), abort: abort(fields.abort) };
}
