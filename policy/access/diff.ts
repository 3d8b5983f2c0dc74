import type { Port } from '../../mesh/model/port.ts';
import type { Verdict } from '../evaluate/evaluate.ts';
import type { Request } from '../evaluate/request.ts';
import { type Box, difference, merged, setOf } from './box.ts';
import { type Caller, callersIn } from './callers.ts';
import { Effective, type Region, innerOf } from './effective.ts';
import { type Condition, conditionsOf } from './grant.ts';
import { type PortOf, portsOf } from './ports.ts';
import { requestIn, verdictOn } from './witness.ts';
import type { Value } from './values.ts';
import { type Side, type World, worldOf } from './world.ts';

/** Requests that are decided otherwise than before. */
export interface Change {
  /** What becomes of them. */
  readonly now: 'ALLOW' | 'DENY';
  readonly destination: string;
  readonly ports: readonly Port[];
  /** All ports that nobody names are among them. */
  readonly otherPorts: boolean;
  readonly protocol: 'HTTP' | 'TCP';
  readonly callers: readonly Caller[];
  readonly conditions: readonly Condition[];
  /** One of them, as it goes to either side: labels may differ. */
  readonly example: { readonly before: Request; readonly after: Request };
  readonly before: Verdict;
  readonly after: Verdict;
  /** Whether policy/evaluate decides the example as this says. */
  readonly confirmed: boolean;
}

export interface Comparison {
  readonly changes: readonly Change[];
  /** Callers and ports where access falls into more pieces than can be compared. */
  readonly untold: readonly { readonly destination: string; readonly port: Port; readonly callers: readonly Caller[] }[];
  readonly complete: boolean;
}

/** What some callers gain or lose on some ports: the same for all destinations of which the policies say the same. */
interface Difference {
  readonly now: 'ALLOW' | 'DENY';
  readonly at: PortOf;
  readonly ports: readonly PortOf[];
  readonly callers: readonly Caller[];
  /** One of the callers. */
  readonly caller: Value;
  readonly box: Box;
  readonly conditions: readonly Condition[];
}

export interface Differences {
  readonly world: World;
  readonly found: readonly Difference[];
  readonly untold: readonly { readonly port: Port; readonly callers: readonly Caller[] }[];
}

interface Piece {
  readonly now: 'ALLOW' | 'DENY';
  readonly boxes: readonly Box[];
  readonly callers: number[];
}

/** What of one region is not in another; undefined when it cannot be told. */
function minus(one: Region, other: Region): readonly Box[] | undefined {
  if (one === undefined || other === undefined) return undefined;
  const left = difference(one.boxes, other.boxes);
  return left && merged(left);
}

/** What differs between two sides. */
export function differences(before: Side, after: Side, known: readonly string[]): Differences {
  const world = worldOf([before, after], known);
  const [old, young] = [new Effective(world, 0, before), new Effective(world, 1, after)];
  const configs = world.statements.map(({ meshConfig }) => meshConfig);
  const names = new Set(known);
  const found = new Map<string, Difference>();
  const untold: Differences['untold'][number][] = [];
  for (const port of portsOf(world, [before, after])) {
    const { pieces, unknown } = piecesAt(world.callers.classes.length, port, old, young);
    if (unknown.length > 0) untold.push({ port: port.port, callers: callersIn(world.callers, setOf(unknown), configs, names) });
    const inner = innerOf(world, port.protocol);
    for (const { now, boxes, callers } of pieces) {
      const bits = setOf(callers);
      for (const box of boxes) {
        const key = `${now} ${port.protocol} ${bits} ${box.join(',')}`;
        const same = found.get(key);
        found.set(key, {
          now,
          at: same?.at ?? port,
          ports: [...(same?.ports ?? []), port],
          callers: same?.callers ?? callersIn(world.callers, bits, configs, names),
          caller: world.callers.classes[callers[0] ?? 0]?.value,
          box,
          conditions: same?.conditions ?? conditionsOf(inner, box),
        });
      }
    }
  }
  return { world, found: [...found.values()], untold };
}

/** Differences as they are for one destination, each with an example that is decided on both sides. */
export function comparison({ world, found, untold }: Differences, before: Side, after: Side): Comparison {
  const { name } = after.destination;
  const changes = found.map(({ now, at, ports, callers, caller, box, conditions }): Change => {
    const request = ({ destination: { namespace, labels, hosts } }: Side): Request =>
      requestIn(innerOf(world, at.protocol), box, caller, { namespace, labels, port: at.port, protocol: at.protocol }, hosts[0]);
    const example = { before: request(before), after: request(after) };
    const was = verdictOn(before.snapshot, example.before);
    const is = verdictOn(after.snapshot, example.after);
    return {
      now,
      destination: name,
      ports: ports.filter(({ other }) => !other).map(({ port }) => port),
      otherPorts: ports.some(({ other }) => other),
      protocol: at.protocol,
      callers,
      conditions,
      example,
      before: was,
      after: is,
      confirmed: is.decision === now && was.decision !== now,
    };
  });
  return { changes, untold: untold.map((one) => ({ destination: name, ...one })), complete: world.complete };
}

function piecesAt(
  callers: number,
  port: PortOf,
  old: Effective,
  young: Effective,
): { readonly pieces: readonly Piece[]; readonly unknown: readonly number[] } {
  const pieces = new Map<string, Piece>();
  const unknown: number[] = [];
  const compared = new Map<Region, Map<Region, readonly (readonly Box[] | undefined)[]>>();
  for (let caller = 0; caller < callers; caller++) {
    const [was, is] = [old.region(port.at, caller, port.protocol), young.region(port.at, caller, port.protocol)];
    // Many callers share what they may do.
    const known = compared.get(was) ?? new Map<Region, readonly (readonly Box[] | undefined)[]>();
    compared.set(was, known);
    const [gained, lost] = known.get(is) ?? [minus(is, was), minus(was, is)];
    known.set(is, [gained, lost]);
    if (gained === undefined || lost === undefined) {
      unknown.push(caller);
      continue;
    }
    for (const [now, boxes] of [['ALLOW', gained] as const, ['DENY', lost] as const]) {
      if (boxes.length === 0) continue;
      const key = `${now} ${boxes.map((box) => box.join(',')).join(';')}`;
      const piece = pieces.get(key) ?? { now, boxes, callers: [] };
      piece.callers.push(caller);
      pieces.set(key, piece);
    }
  }
  return { pieces: [...pieces.values()], unknown };
}
