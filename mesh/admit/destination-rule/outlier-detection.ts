import type { OutlierDetection } from '../../model/destination-rule.ts';
import { duration } from '../duration.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { wholePercent } from '../percentage.ts';
import { flag, integer } from '../scalar.ts';
import { oldForm } from '../unapplied.ts';

const MOST = 4_294_967_295;

/** When an endpoint is ejected; `consecutiveErrors` of old counted what consecutive5xxErrors counts today. */
export function outlierDetection(field: Field): OutlierDetection | undefined {
  if (!field.given) return undefined;
  const fields = fieldsOf(field, [
    'consecutive5xxErrors',
    'consecutiveErrors',
    'consecutiveGatewayErrors',
    'consecutiveLocalOriginFailures',
    'splitExternalLocalOriginErrors',
    'interval',
    'baseEjectionTime',
    'maxEjectionPercent',
    'minHealthPercent',
    'outlierDetectionHttpErrorCodes',
  ]);
  oldForm(fields.consecutiveErrors, 'consecutive5xxErrors');
  const split = flag(fields.splitExternalLocalOriginErrors) ?? false;
  const local = integer(fields.consecutiveLocalOriginFailures, 0, MOST);
  if (local !== undefined && local > 0 && !split) {
    fields.consecutiveLocalOriginFailures.error(
      'contradiction',
      'has no effect alone',
      'set splitExternalLocalOriginErrors: true',
    );
  }
  return {
    consecutive5xx: integer(fields.consecutive5xxErrors, 0, MOST) ?? integer(fields.consecutiveErrors, 0, MOST),
    consecutiveGateway: integer(fields.consecutiveGatewayErrors, 0, MOST),
    consecutiveLocalOrigin: local,
    splitExternalLocalOrigin: split,
    intervalMs: duration(fields.interval, 1),
    baseEjectionMs: duration(fields.baseEjectionTime, 1),
    maxEjectionPercent: wholePercent(fields.maxEjectionPercent),
    minHealthPercent: wholePercent(fields.minHealthPercent),
    httpErrorCodes: [...new Set(itemsOf(fields.outlierDetectionHttpErrorCodes).flatMap((item) => integer(item, 100, 599) ?? []))],
  };
}
