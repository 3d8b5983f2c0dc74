import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { self } from '../up/self.ts';

export interface TourWorkload {
  readonly workload: string;
  readonly pod: string;
  readonly ip: string;
}

export interface TourMesh {
  readonly gateway: string;
  readonly http: string;
  readonly page: string | undefined;
  readonly workloads: readonly TourWorkload[];
  /** Serial numbers of all certificates that were put in place, by workload; grows while the mesh runs. */
  readonly rotations: ReadonlyMap<string, ReadonlySet<string>>;
  /** Resolves when the mesh has ended, however it came to. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

type Event = Readonly<Record<string, unknown>>;

function parse(line: string): Event {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

function workloadsOf(value: unknown): readonly TourWorkload[] {
  if (!Array.isArray(value)) return [];
  return value.map((entry: unknown) => {
    const { workload, pod, ip }: Event = typeof entry === 'object' && entry !== null ? { ...entry } : {};
    return { workload: text(workload), pod: text(pod), ip: text(ip) };
  });
}

/** Starts `gatehouse up` and waits until it says that all is ready. Its progress goes to our stderr. */
export async function startMesh(args: readonly string[]): Promise<TourMesh> {
  const up = self(['up', ...args, '-o', 'json']);
  const child = spawn(up.file, up.args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const rotations = new Map<string, Set<string>>();
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const ready = await new Promise<Event>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`gatehouse up ended with ${String(code)}; what it printed says why`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      const event = parse(line);
      if (event['event'] === 'ready' && 'gateway' in event) resolve(event);
      if (event['event'] === 'rotated') keep(rotations, text(event['workload']), text(event['serial']));
    });
  });
  const plane: Event =
    typeof ready['controlPlane'] === 'object' && ready['controlPlane'] !== null ? { ...ready['controlPlane'] } : {};
  return {
    gateway: text(ready['gateway']),
    http: text(plane['http']),
    page: typeof plane['page'] === 'string' ? plane['page'] : undefined,
    workloads: workloadsOf(ready['workloads']),
    rotations,
    ended,
    stop: () => stop(child, ended),
  };
}

function keep(rotations: Map<string, Set<string>>, workload: string, serial: string): void {
  const serials = rotations.get(workload) ?? new Set<string>();
  serials.add(serial);
  rotations.set(workload, serials);
}

async function stop(child: ChildProcess, ended: Promise<void>): Promise<void> {
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), 20_000);
  await ended;
  clearTimeout(force);
}
