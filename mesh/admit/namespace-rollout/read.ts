import {
  ADVANCE_MODES,
  type Gate,
  type NamespaceRollout,
  type RollbackRule,
  type Stage,
  STAGES,
} from '../../model/namespace-rollout.ts';
import type { Context } from '../context.ts';
import { duration } from '../duration.ts';
import { type Field, fieldsOf } from '../field.ts';
import { flag, integer, oneOf } from '../scalar.ts';
import { accepted } from './accepted.ts';
import { exceptions } from './exceptions.ts';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
/** Records are not kept for longer. */
const LONGEST_OBSERVED_MS = 366 * 24 * HOUR_MS;
const SHORTEST_WITHIN_MS = 1000;
const LONGEST_WITHIN_MS = 24 * HOUR_MS;
const MOST_REQUESTS = 1_000_000_000;
const MOST_DENIALS = 1_000_000;

/**
 * A day has what people and daily jobs do, a week what weekly ones do. A service that is called each ten minutes makes 144 calls a day: with
 * fewer than 100 it is more likely that records do not come. What is judged under the dry run is to be more than a sample. A dry run refuses
 * nobody, so it waits for nothing.
 */
const DEFAULT_GATES: NamespaceRollout['gates'] = Object.freeze({
  strict: Object.freeze({ observedForMs: 24 * HOUR_MS, requests: 100 }),
  'dry-run': Object.freeze({ observedForMs: 0, requests: 0 }),
  enforce: Object.freeze({ observedForMs: 168 * HOUR_MS, requests: 1000 }),
});
const DEFAULT_ROLLBACK: RollbackRule = Object.freeze({ denials: 10, withinMs: 10 * MINUTE_MS });

/** Reads a NamespaceRollout's spec. */
export function readNamespaceRollout(spec: Field, context: Context): NamespaceRollout {
  const fields = fieldsOf(spec, ['target', 'advance', 'paused', 'gates', 'accepted', 'exceptions', 'rollback']);
  const { namespace } = context.meta;
  if (namespace === context.meshConfig.rootNamespace)
    spec.error(
      'root-namespace',
      `policies of ${namespace}, the root namespace, are for the whole mesh: a rollout there would close every namespace at once`,
      'roll out the other namespaces one at a time, and write policies of the root namespace by hand',
    );
  return {
    meta: context.meta,
    target: stage(fields.target) ?? 'enforce',
    advance: oneOf(fields.advance, ADVANCE_MODES) ?? 'Manual',
    paused: flag(fields.paused) ?? false,
    gates: gates(fields.gates),
    accepted: accepted(fields.accepted),
    exceptions: exceptions(fields.exceptions),
    rollback: rollback(fields.rollback),
  };
}

function stage(field: Field): Stage | undefined {
  return oneOf(field, STAGES);
}

function gates(field: Field): NamespaceRollout['gates'] {
  const fields = fieldsOf(field, ['strict', 'dryRun', 'enforce']);
  return {
    strict: gate(fields.strict, DEFAULT_GATES.strict),
    'dry-run': gate(fields.dryRun, DEFAULT_GATES['dry-run']),
    enforce: gate(fields.enforce, DEFAULT_GATES.enforce),
  };
}

function gate(field: Field, otherwise: Gate): Gate {
  const { observedFor, requests } = fieldsOf(field, ['observedFor', 'requests']);
  return {
    observedForMs: atMost(observedFor, duration(observedFor, 0), LONGEST_OBSERVED_MS, '8784h') ?? otherwise.observedForMs,
    requests: integer(requests, 0, MOST_REQUESTS) ?? otherwise.requests,
  };
}

function rollback(field: Field): RollbackRule {
  const { denials, within } = fieldsOf(field, ['denials', 'within']);
  return {
    denials: integer(denials, 0, MOST_DENIALS) ?? DEFAULT_ROLLBACK.denials,
    withinMs: atMost(within, duration(within, SHORTEST_WITHIN_MS), LONGEST_WITHIN_MS, '24h') ?? DEFAULT_ROLLBACK.withinMs,
  };
}

function atMost(field: Field, value: number | undefined, most: number, written: string): number | undefined {
  if (value !== undefined && value > most) field.error('out-of-range', `is longer than ${written}`, `use ${written} or less`);
  return value;
}
