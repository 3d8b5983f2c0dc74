import { isDeepStrictEqual } from 'node:util';
import type { RolloutStatus } from '../../policy/rollout/status.ts';
import type { Json } from '../api/json.ts';

/** What became of an order, as the object's status says it. */
export interface LastOrder {
  readonly id: string;
  /** Undefined while it is carried out. */
  readonly accepted: boolean | undefined;
  readonly message: string;
}

const TRANSITIONS = 10;
const LIST = 50;
const LINE = 300;

/** What is ours in the status of a NamespaceRollout; its conditions are written elsewhere. */
export const OWN_FIELDS: readonly string[] = Object.freeze([
  'stage',
  'target',
  'advance',
  'paused',
  'since',
  'next',
  'held',
  'heldBy',
  'gates',
  'command',
  'exceptions',
  'accepted',
  'rollbackArmedUntil',
  'transitions',
  'history',
  'lastOrder',
]);

/** The status for people: the last transitions only, and short. */
export function statusFields(status: RolloutStatus): Json {
  const { namespace: _namespace, name: _name, history, heldBy, exceptions, accepted, ...rest } = status;
  const [newest] = history;
  const fields = {
    ...rest,
    held: held(heldBy),
    heldBy: heldBy.slice(0, LIST),
    exceptions: exceptions.slice(0, LIST),
    accepted: accepted.slice(0, LIST),
    transitions: newest?.number ?? 0,
    history: history.slice(0, TRANSITIONS).map(({ objects, ...transition }) => ({ ...transition, objects: objects.length })),
  };
  // As it comes back: without fields that are undefined.
  const plain: Json = JSON.parse(JSON.stringify(fields));
  return plain;
}

/** Whether more changed than how far the evidence has come. */
export function isUrgent(before: RolloutStatus, now: RolloutStatus): boolean {
  const short = ({ stage, target, advance, paused, heldBy, history, rollbackArmedUntil, gates }: RolloutStatus): string =>
    JSON.stringify([stage, target, advance, paused, heldBy.length, history[0], rollbackArmedUntil, gates.map(({ met }) => met)]);
  return short(before) !== short(now);
}

/** The first that holds it, and how many more; for a column. */
function held(heldBy: readonly string[]): string {
  const [first] = heldBy;
  if (first === undefined) return '';
  const short = first.length <= LINE ? first : `${first.slice(0, LINE - 1)}…`;
  return heldBy.length === 1 ? short : `${short} (and ${heldBy.length - 1} more)`;
}

/** The whole status with ours in it; undefined where nothing would change. */
export function withOwn(before: Json, own: Json): Json | undefined {
  const others = Object.fromEntries(Object.entries(before).filter(([field]) => !OWN_FIELDS.includes(field)));
  const status = { ...others, ...own };
  return isDeepStrictEqual(status, before) ? undefined : status;
}
