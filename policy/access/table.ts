import type { Port } from '../../mesh/model/port.ts';
import type { Request } from '../evaluate/request.ts';
import type { MtlsSetting } from '../peer-authentication/mode.ts';
import { type Box, setOf } from './box.ts';
import { type Caller, callersIn } from './callers.ts';
import { type Condition, conditionsOf } from './grant.ts';
import { type PortOf, portsOf } from './ports.ts';
import { Effective, type Region, innerOf } from './effective.ts';
import { requestIn, verdictOn } from './witness.ts';
import { type Side, type Within, type World, worldOf } from './world.ts';

/** What some callers may do. All of it holds together. */
export interface Grant {
  readonly callers: readonly Caller[];
  /** What is not named may be anything. */
  readonly conditions: readonly Condition[];
  /** The rules that allow it, as `namespace/name rule N`; none where no ALLOW policy applies. */
  readonly by: readonly string[];
  /** One request that it is about, and whether policy/evaluate allows it, as it must. */
  readonly witness: Request;
  readonly confirmed: boolean;
  readonly box: Box;
  readonly callerBits: bigint;
}

/** Ports on which the same holds. */
export interface PortTable {
  readonly ports: readonly Port[];
  /** All ports that neither Services, containers nor policies name are among them. */
  readonly others: boolean;
  readonly protocol: 'HTTP' | 'TCP';
  readonly mtls: MtlsSetting;
  readonly grants: readonly Grant[];
  /** Callers whose access falls into more pieces than can be told. */
  readonly untold: readonly Caller[];
}

export interface AccessTable {
  readonly world: World;
  readonly tables: readonly PortTable[];
}

/** The same for the same requests, whatever order they were found in. */
function regionKey(region: Exclude<Region, undefined>): string {
  return region.boxes
    .map((box) => box.join(','))
    .sort()
    .join(';');
}

/** Who may do what on a destination. */
export function accessTable(side: Side, known: readonly string[], within: Within = {}): AccessTable {
  const world = worldOf([side], known, within);
  const effective = new Effective(world, 0, side);
  const names = new Set(known);
  const found = portsOf(world, [side]).map((port) => tableOf(world, effective, side, port, names));
  const byContent = new Map<string, { table: PortTable; ports: Port[]; others: boolean }>();
  for (const { port, table } of found) {
    const key = JSON.stringify([
      table.protocol,
      table.mtls,
      table.untold,
      table.grants.map(({ callerBits, box, by }) => [String(callerBits), box.join(','), by]),
    ]);
    const same = byContent.get(key);
    if (same === undefined) byContent.set(key, { table, ports: port.other ? [] : [port.port], others: port.other });
    else {
      if (port.other) same.others = true;
      else same.ports.push(port.port);
    }
  }
  const tables = [...byContent.values()].map(({ table, ports, others }): PortTable => ({ ...table, ports, others }));
  return { world, tables };
}

function tableOf(
  world: World,
  effective: Effective,
  side: Side,
  port: PortOf,
  known: ReadonlySet<string>,
): { readonly port: PortOf; readonly table: PortTable } {
  const groups = new Map<string, { region: Exclude<Region, undefined>; callers: number[] }>();
  const untold: number[] = [];
  for (const at of world.callers.classes.keys()) {
    const region = effective.region(port.at, at, port.protocol);
    if (region === undefined) {
      untold.push(at);
      continue;
    }
    if (region.boxes.length === 0) continue;
    const key = regionKey(region);
    const group = groups.get(key) ?? { region, callers: [] };
    group.callers.push(at);
    groups.set(key, group);
  }
  const configs = world.statements.map(({ meshConfig }) => meshConfig);
  const callersOf = (bits: bigint): readonly Caller[] => callersIn(world.callers, bits, configs, known);
  const inner = innerOf(world, port.protocol);
  const grants = [...groups.values()].flatMap(({ region, callers }) => {
    const bits = setOf(callers);
    const [first = 0] = callers;
    const { namespace, labels } = side.destination;
    const target = { namespace, labels, port: port.port, protocol: port.protocol };
    return region.boxes.map((box): Grant => {
      const caller = world.callers.classes[first]?.value;
      const witness = requestIn(inner, box, caller, target, side.destination.hosts[0]);
      const conditions = conditionsOf(inner, box);
      const confirmed = verdictOn(side.snapshot, witness).decision === 'ALLOW';
      const by = [...new Set(callers.flatMap((at) => effective.grantedBy(port.at, at, port.protocol, box)))].sort();
      return { callers: callersOf(bits), callerBits: bits, conditions, by, witness, confirmed, box };
    });
  });
  const table: PortTable = {
    ports: [port.port],
    others: port.other,
    protocol: port.protocol,
    mtls: effective.setting(port.port),
    grants,
    untold: callersOf(setOf(untold)),
  };
  return { port, table };
}
