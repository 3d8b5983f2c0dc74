import { type Port, parsePort } from '../../mesh/model/port.ts';
import type { Side, World } from './world.ts';

/** One port of a world in one protocol. */
export interface PortOf {
  readonly at: number;
  readonly port: Port;
  readonly other: boolean;
  readonly protocol: 'HTTP' | 'TCP';
}

/** The ports of a world, each with the protocols that are spoken there. The last one stands for all that nobody names. */
export function portsOf(world: World, sides: readonly Side[]): readonly PortOf[] {
  const declared = sides.flatMap(({ destination }) => destination.ports);
  const usual: PortOf['protocol'] = declared.length > 0 && declared.every(({ protocol }) => protocol === 'TCP') ? 'TCP' : 'HTTP';
  return world.ports.classes.flatMap(({ value }, at): readonly PortOf[] => {
    const port = parsePort(Number(value?.[0]));
    if (port === undefined) return [];
    const protocols = new Set(declared.filter((one) => one.port === port).map(({ protocol }) => protocol));
    const other = at === world.ports.classes.length - 1;
    return (protocols.size === 0 ? [usual] : [...protocols].sort()).map((protocol): PortOf => ({ at, port, other, protocol }));
  });
}
