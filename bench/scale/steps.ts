// What is done to a server, and what it cost.
import { setTimeout as sleep } from 'node:timers/promises';
import { endpointsFile, replaceFile, routesFile, type MeshFile } from '../mesh/files.ts';
import type { MeshPlan, PlannedService } from '../mesh/plan.ts';
import { ENDPOINTS, ROUTES, VIRTUAL_HOST } from '../../xds/resource-set.ts';
import { Fleet, type Counted } from '../xds/fleet.ts';
import type { Variant } from '../xds/messages.ts';
import type { Connect } from '../xds/orders.ts';
import { now } from '../xds/proxy.ts';
import type { Figures } from './figures.ts';
import { eventLoopMs, resetEventLoop } from './metrics.ts';
import { cpuSeconds, peakRssMb, rssMb } from './process.ts';
import type { Target } from './target.ts';

export interface Connected {
  readonly target: Target;
  readonly variant: Variant;
  readonly fleet: Fleet;
  readonly plan: MeshPlan;
  /** How long a step is waited for. */
  readonly timeoutMs: number;
  /** Others have the server work meanwhile: what it uses tells nothing of whether it is done. */
  readonly beside?: boolean;
}

function remarks(counted: Counted): Pick<Figures, 'note'> {
  const ended = Object.entries(counted.ended).map(([reason, times]) => `${String(times)} x ${reason}`);
  const missing = counted.timedOut ? [`not all in time (configured: ${String(counted.configured)})`] : [];
  const parts = [...missing, ...ended];
  return parts.length === 0 ? {} : { note: parts.join(', ') };
}

const sums = (counted: Counted): Figures => ({
  megabytes: counted.bytes / 1e6,
  responses: counted.responses,
  resources: counted.resources,
  ...remarks(counted),
});

/** Until nothing is used any more: garbage of the step before is not counted for the next. */
export async function calm({ pid }: Target): Promise<void> {
  for (let [round, before] = [0, cpuSeconds(pid)]; round < 40; round++) {
    await sleep(250);
    const after = cpuSeconds(pid);
    if (after - before < 0.01) return;
    before = after;
  }
}

/** All proxies connect at once, for the first time. */
export async function firstConfiguration(
  target: Target,
  variant: Variant,
  plan: MeshPlan,
  processes: number,
  timeoutMs: number,
  tls?: Connect['tls'],
): Promise<readonly [Connected, Figures]> {
  const fleet = Fleet.start(processes, plan.proxies.length);
  await calm(target);
  const rss = rssMb(target.pid);
  await resetEventLoop(target);
  const [cpu, began] = [cpuSeconds(target.pid), now()];
  await fleet.connect(
    {
      address: tls === undefined ? target.address : (target.gatehouse?.grpc ?? target.address),
      variant,
      bundle: target.gatehouse !== undefined,
      remember: variant === 'delta',
      ...(tls !== undefined && { tls }),
    },
    plan.proxies,
  );
  const counted = await fleet.settle(
    ({ configured }) => configured === plan.proxies.length,
    timeoutMs,
    () => cpuSeconds(target.pid),
  );
  const used = cpuSeconds(target.pid) - cpu;
  const loop = await eventLoopMs(target);
  await calm(target);
  const figures: Figures = {
    ...sums(counted),
    cpuSeconds: used,
    wallSeconds: (counted.configuredAt - began) / 1000,
    peakMb: peakRssMb(target.pid),
    memoryMb: rssMb(target.pid),
    perProxyKb: ((rssMb(target.pid) - rss) * 1024) / plan.proxies.length,
    clientCpuSeconds: counted.cpuSeconds,
    ...(loop !== undefined && { eventLoopMs: loop }),
  };
  return [{ target, variant, fleet, plan, timeoutMs }, figures];
}

async function change(
  { target, fleet, timeoutMs, beside = false }: Connected,
  file: MeshFile,
  types: readonly string[],
  marker: string,
): Promise<Figures> {
  if (!beside) await calm(target);
  const { cpuSeconds: client } = await fleet.expect(types, marker);
  await resetEventLoop(target);
  const [cpu, began] = [cpuSeconds(target.pid), now()];
  replaceFile(target.folder, file);
  const counted = await fleet.settle(
    ({ waiting }) => waiting === 0,
    timeoutMs,
    beside ? undefined : () => cpuSeconds(target.pid),
  );
  const used = cpuSeconds(target.pid) - cpu;
  const loop = await eventLoopMs(target);
  return {
    ...sums(counted),
    cpuSeconds: used,
    clientCpuSeconds: counted.cpuSeconds - client,
    ...(loop !== undefined && { eventLoopMs: loop }),
    ...(counted.waiting === 0 ? { lastMs: counted.seenAt - began } : { note: `${String(counted.waiting)} did not see it` }),
  };
}

/** Each step changes another service to values that were never there. */
export class Changes {
  readonly #plan: MeshPlan;
  /** Unlike that of another run, whose changes may still be in the folder of a server that goes on. */
  #number = Math.floor(Date.now() / 1000) % 60_000;
  /** Of changes of each service's weight. */
  readonly #counts = new Map<string, number>();

  constructor(plan: MeshPlan) {
    this.#plan = plan;
  }

  #pick(services: readonly PlannedService[]): PlannedService {
    const service = services[(this.#number++ * 7) % services.length];
    if (service === undefined) throw new Error('the mesh has no service to change');
    return service;
  }

  routeFile(): { readonly file: MeshFile; readonly host: string; readonly weight: number } {
    const service = this.#pick(this.#plan.services.filter(({ weight }) => weight !== undefined));
    const count = this.#counts.get(service.host) ?? this.#number;
    this.#counts.set(service.host, count + 1);
    // Neither the weight of the plan nor the last one: that would change nothing, and nobody would ever be sent it.
    const weight = 1 + (((service.weight ?? 1) + (count % 97)) % 98);
    return { file: routesFile(service, weight), host: service.host, weight };
  }

  route(connected: Connected): Promise<Figures> {
    const { file, host } = this.routeFile();
    return change(connected, file, [ROUTES, VIRTUAL_HOST], host);
  }

  endpointFile(): { readonly file: MeshFile; readonly address: string } {
    // The first services' pods may be the proxies: those stay.
    const others = this.#plan.services.slice(Math.min(this.#plan.proxies.length, this.#plan.services.length - 1));
    const service = this.#pick(others);
    const address = `10.200.${String((this.#number >>> 8) & 255)}.${String(this.#number & 255)}`;
    const [first = '', second = ''] = service.endpoints;
    return { file: endpointsFile(this.#plan, service, [first, second, address]), address };
  }

  endpoint(connected: Connected): Promise<Figures> {
    const { file, address } = this.endpointFile();
    return change(connected, file, [ENDPOINTS], address);
  }
}

/** All connections are lost, and all come back at once. */
export async function reconnect(connected: Connected, withVersions: boolean): Promise<Figures> {
  const { target, fleet, plan, timeoutMs, beside = false } = connected;
  await fleet.drop();
  if (!beside) await calm(target);
  await resetEventLoop(target);
  const { cpuSeconds: client } = await fleet.count();
  const [cpu, began] = [cpuSeconds(target.pid), now()];
  await fleet.resume(withVersions);
  const busy = (): number => cpuSeconds(target.pid);
  // Who has all of it is answered too, though with nothing: it asks for all of some types.
  const done = ({ configured }: Counted): boolean => configured === plan.proxies.length;
  const counted = await fleet.settle(done, timeoutMs, beside ? undefined : busy);
  const used = busy() - cpu;
  const loop = await eventLoopMs(target);
  return {
    ...sums(counted),
    cpuSeconds: used,
    wallSeconds: (Math.max(counted.lastByteAt, counted.configuredAt) - began) / 1000,
    peakMb: peakRssMb(target.pid),
    clientCpuSeconds: counted.cpuSeconds - client,
    ...(loop !== undefined && { eventLoopMs: loop }),
  };
}

const EVERY_MS = 100;

/** Ten endpoint changes a second. */
export async function churn(connected: Connected, changes: Changes, seconds: number, stuck: number): Promise<readonly Figures[]> {
  const { target, fleet } = connected;
  await calm(target);
  await fleet.expect([]);
  await resetEventLoop(target);
  if (stuck > 0) await fleet.stick(stuck);
  const [cpu, began, before] = [cpuSeconds(target.pid), now(), rssMb(target.pid)];
  let middle = before;
  for (let number = 0; number < (seconds * 1000) / EVERY_MS; number++) {
    replaceFile(target.folder, changes.endpointFile().file);
    if (number === Math.floor((seconds * 500) / EVERY_MS)) middle = rssMb(target.pid);
    await sleep(Math.max(0, began + (number + 1) * EVERY_MS - now()));
  }
  const wall = (now() - began) / 1000;
  const loop = await eventLoopMs(target);
  const used = cpuSeconds(target.pid) - cpu;
  if (stuck > 0) await fleet.unstick();
  const counted = await fleet.settle(
    () => true,
    60_000,
    () => cpuSeconds(target.pid),
  );
  await calm(target);
  return [
    {
      ...sums(counted),
      cpuSeconds: used,
      wallSeconds: wall,
      memoryMb: rssMb(target.pid),
      peakMb: peakRssMb(target.pid),
      ...(loop !== undefined && { eventLoopMs: loop }),
      note: `RSS before ${before.toFixed(0)}, half-way ${middle.toFixed(0)} MB${stuck > 0 ? `; ${String(stuck)} stuck` : ''}`,
    },
  ];
}
