import { InvalidArgumentError } from 'commander';
import type { PodOptions } from '../../sds/pod/environment.ts';

/** Of an injected pod's agent beside its status port: readiness, and Envoy's own metrics (Istio's ports). */
export const READY_PORT = 15_021;
export const METRICS_PORT = 15_090;

export interface PodFlags {
  readonly pod?: 'sidecar' | 'router';
  readonly domain: string;
  readonly statusPort: number;
  readonly proxyLogLevel: string;
  readonly proxyComponentLogLevel: string;
  readonly concurrency?: number;
}

export function portOrZero(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65_535)) throw new InvalidArgumentError('it is no port.');
  return port;
}

export function threads(text: string): number {
  const count = /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN;
  if (!(count <= 1024)) throw new InvalidArgumentError('it is no number of threads (0 to 1024; 0: one for each core).');
  return count;
}

/** Ours, with the words that annotations of Istio's pods have: `SCOPE:LEVEL,…` (the first level counts), warning, none. */
const LEVELS: Readonly<Record<string, string>> = Object.freeze({
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  warning: 'warn',
  error: 'error',
  fatal: 'fatal',
  none: 'silent',
});

export function logLevel(text: string): string {
  const word = text.split(',')[0]?.split(':').at(-1) ?? '';
  const level = Object.hasOwn(LEVELS, word) ? LEVELS[word] : undefined;
  if (level === undefined) throw new InvalidArgumentError('it is none of debug, info, warn, error, fatal, none.');
  return level;
}

export function podOptionsOf(flags: PodFlags): PodOptions {
  return {
    kind: flags.pod ?? 'sidecar',
    domain: flags.domain,
    proxyLogLevel: flags.proxyLogLevel,
    proxyComponentLogLevel: flags.proxyComponentLogLevel,
    concurrency: flags.concurrency,
  };
}
