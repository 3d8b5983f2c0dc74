import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import { isJson, type Json, listAt, textAt } from '../api/json.ts';

export interface Condition {
  readonly type: 'Accepted' | 'Programmed';
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
}

/** How far an object has come among the proxies that are connected. */
export interface Progress {
  readonly applied: number;
  readonly of: number;
  readonly lagging: readonly string[];
  readonly rejectedBy: readonly string[];
}

const MOST_NAMED = 3;
const LONGEST = 1024;

/** @param errors what is wrong with the object; none: it is accepted */
export function acceptedBecause(errors: readonly Diagnostic[], lastGood: boolean): Condition {
  const [first] = errors;
  if (first === undefined) return { type: 'Accepted', status: 'True', reason: 'Accepted', message: '' };
  const said = errors.slice(0, MOST_NAMED).map(({ field, message, hint }) => {
    const place = field === undefined ? '' : `${field}: `;
    return `${place}${message}${hint === undefined ? '' : ` (${hint})`}`;
  });
  if (errors.length > MOST_NAMED) said.push(`and ${errors.length - MOST_NAMED} more`);
  if (lastGood) said.push('its last good version stays in effect');
  return { type: 'Accepted', status: 'False', reason: camelCase(first.code), message: said.join('; ').slice(0, LONGEST) };
}

/** @param progress undefined: nothing of it is in effect */
export function programmedBecause(progress: Progress | undefined): Condition {
  const type = 'Programmed';
  if (progress === undefined) return { type, status: 'False', reason: 'NotAccepted', message: 'nothing of it is in effect' };
  const { applied, of, lagging, rejectedBy } = progress;
  const counted = `${applied} of ${of} proxies`;
  if (rejectedBy.length > 0)
    return { type, status: 'False', reason: 'Rejected', message: `${counted}; rejected by ${names(rejectedBy)}` };
  if (lagging.length > 0) return { type, status: 'False', reason: 'Pending', message: `${counted}; not yet ${names(lagging)}` };
  if (of === 0) return { type, status: 'Unknown', reason: 'NoProxies', message: 'no proxy is connected' };
  return { type, status: 'True', reason: 'Programmed', message: counted };
}

/** True when a condition that stands there says what is to be said; how many proxies there are beside is no news. */
export function stands(condition: Condition, status: Json, generation: number | undefined): boolean {
  const found = listAt(status, 'conditions').find((one) => textAt(one, 'type') === condition.type);
  if (!isJson(found) || found['status'] !== condition.status || found['reason'] !== condition.reason) return false;
  if (generation !== undefined && Number(found['observedGeneration'] ?? 0) !== generation) return false;
  return condition.reason === 'Programmed' || found['message'] === condition.message;
}

/** All conditions of an object: those of others as they are, and the time since when each holds. */
export function withConditions(
  ours: readonly Condition[],
  status: Json,
  generation: number | undefined,
  now: Date,
): readonly Json[] {
  const before = listAt(status, 'conditions').filter(isJson);
  const others = before.filter(({ type }) => ours.every((one) => one.type !== type));
  const stamp = now.toISOString().replace(/\.\d+Z$/, 'Z');
  return [
    ...others,
    ...ours.map((one) => {
      const last = before.find(({ type, status }) => type === one.type && status === one.status);
      const since = textAt(last, 'lastTransitionTime');
      return {
        ...one,
        ...(generation !== undefined && { observedGeneration: generation }),
        lastTransitionTime: since === '' ? stamp : since,
      };
    }),
  ];
}

function names(all: readonly string[]): string {
  const more = all.length > MOST_NAMED ? ` and ${all.length - MOST_NAMED} more` : '';
  return `${all.slice(0, MOST_NAMED).join(', ')}${more}`;
}

/** As metav1.Condition wants reasons. */
function camelCase(code: string): string {
  return code
    .split('-')
    .map((word) => `${word.charAt(0).toUpperCase()}${word.slice(1)}`)
    .join('');
}
