/** One thing that was measured, once. Absent: not measured there. */
export interface Figures {
  readonly cpuSeconds?: number;
  readonly wallSeconds?: number;
  readonly megabytes?: number;
  readonly responses?: number;
  readonly resources?: number;
  /** From the write of the file to the last proxy's having it. */
  readonly lastMs?: number;
  readonly peakMb?: number;
  readonly memoryMb?: number;
  readonly perProxyKb?: number;
  /** What the client itself used: it runs on the same machine. */
  readonly clientCpuSeconds?: number;
  readonly perCpuSecond?: number;
  readonly eventLoopMs?: number;
  /** Certificates that were asked for meanwhile, and how long they took. */
  readonly csrs?: number;
  readonly csrP50Ms?: number;
  readonly csrP99Ms?: number;
  readonly csrMaxMs?: number;
  /** The longest time that the event loop was held, and how often it was for longer than so many ms. */
  readonly holdMs?: number;
  readonly holdsOver20?: number;
  readonly holdsOver50?: number;
  readonly note?: string;
}

export interface Row {
  readonly work: string;
  readonly server: string;
  readonly repeats: number;
  readonly figures: Figures;
}

const KEYS = Object.freeze([
  'cpuSeconds',
  'wallSeconds',
  'megabytes',
  'responses',
  'resources',
  'lastMs',
  'peakMb',
  'memoryMb',
  'perProxyKb',
  'clientCpuSeconds',
  'perCpuSecond',
  'eventLoopMs',
  'csrs',
  'csrP50Ms',
  'csrP99Ms',
  'csrMaxMs',
  'holdMs',
  'holdsOver20',
  'holdsOver50',
] as const);

/** Each figure's median; notes are put together. */
export function median(all: readonly Figures[]): Figures {
  const result: Record<string, number | string> = {};
  for (const key of KEYS) {
    const values = all.flatMap((figures) => figures[key] ?? []).sort((a, b) => a - b);
    const middle = values[values.length >> 1];
    if (middle !== undefined) result[key] = middle;
  }
  const notes = [...new Set(all.flatMap(({ note }) => note ?? []))].join('; ');
  return { ...result, ...(notes !== '' && { note: notes }) };
}
