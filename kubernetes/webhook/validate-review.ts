import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import type { JsonObject } from '../inject/json.ts';
import { reviewOrder } from '../rollout/review-order.ts';
import type { AdmissionAnswer, AdmissionRequest } from './review.ts';

/** `gatehouse validate` of one object. */
export type Validate = (object: JsonObject, namespace: string) => readonly Diagnostic[];

function line({ field, message, hint }: Diagnostic): string {
  return `${field === undefined || field === '' ? '' : `${field}: `}${message}${hint === undefined ? '' : ` (${hint})`}`;
}

/** Refuses what would not take effect, with the words of `gatehouse validate`; whatever else it says comes as warnings. */
export function reviewConfiguration(request: AdmissionRequest, validate: Validate): AdmissionAnswer {
  const { object, operation, namespace } = request;
  if (operation === 'DELETE' || operation === 'CONNECT') return { allowed: true };
  if (object === undefined) return { allowed: false, message: 'the request has no object' };
  const order = reviewOrder(request);
  if (order !== undefined) return order;
  // Somebody who takes finalizers off, or is being deleted, must not be held up.
  const found = validate(withoutServerFields(object), namespace);
  const errors = found.filter(({ severity }) => severity === 'error').map(line);
  const warnings = found.filter(({ severity }) => severity === 'warning').map(line);
  if (errors.length === 0) return { allowed: true, warnings };
  if (isBeingDeleted(object)) return { allowed: true, warnings: [...errors, ...warnings] };
  return { allowed: false, message: errors.join('; '), warnings };
}

function isBeingDeleted({ metadata }: JsonObject): boolean {
  return typeof metadata === 'object' && metadata !== null && 'deletionTimestamp' in metadata;
}

/** Fields that the API server writes and nobody checks. */
function withoutServerFields(object: JsonObject): JsonObject {
  const { status: _status, metadata, ...rest } = object;
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) return object;
  const kept = Object.fromEntries(Object.entries(metadata).filter(([field]) => field !== 'managedFields'));
  return { ...rest, metadata: kept };
}
