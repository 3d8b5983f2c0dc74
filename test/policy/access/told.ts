import assert from 'node:assert/strict';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import { has } from '../../../policy/access/box.ts';
import { callerKind } from '../../../policy/access/candidates.ts';
import { holds } from '../../../policy/access/describe.ts';
import type { AccessTable } from '../../../policy/access/table.ts';
import { factsOf } from '../../../policy/evaluate/facts.ts';
import { requestAuthentication } from '../../../policy/evaluate/request-authentication.ts';
import type { Request } from '../../../policy/evaluate/request.ts';

/** Whether a request lies in what the table says, in the words in which it is printed. */
export function told(mesh: Snapshot, { world, tables }: AccessTable, one: Request): boolean | 'untold' {
  const number = one.destination.port;
  const table =
    tables.find(({ ports, protocol }) => ports.some((port) => port === number) && protocol === one.destination.protocol) ??
    tables.find(({ others }) => others);
  assert.ok(table !== undefined, `no table for port ${number}`);
  if (table.untold.length > 0) return 'untold';
  const caller = one.source.principal === undefined ? undefined : [one.source.principal.slice('spiffe://'.length)];
  // Claims that are lists of words in one text are lists for policies.
  const step = requestAuthentication(mesh, one.destination)(one);
  const facts = factsOf(one, mesh.meshConfig, true, step.kind === 'passed' ? step.token : one.token);
  const kind = callerKind(caller, [mesh.meshConfig]);
  const at = world.callers.classes.findIndex(
    ({ value }, index) =>
      callerKind(value, [mesh.meshConfig]) === kind &&
      world.callers.atoms.every((atom) => {
        const { yes, unknown } = world.callers.truths(atom);
        return atom.truth(facts, one) === (has(yes, index) ? true : has(unknown, index) ? 'unknown' : false);
      }),
  );
  assert.ok(
    at >= 0,
    `nobody thought of callers such as ${String(caller)}: ${JSON.stringify([world.callers.atoms.map((a) => [a.field, a.text, a.truth(facts, one)]), world.callers.classes.map((c) => c.value), mesh.meshConfig])}`,
  );
  return table.grants.some(
    ({ callerBits, conditions }) => has(callerBits, at) && conditions.every(({ description }) => holds(description, facts, one)),
  );
}
