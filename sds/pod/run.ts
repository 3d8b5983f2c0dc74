import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { type Parsed, refused } from '../../ca/identity/parsed.ts';
import { agentMetrics } from '../agent/metrics.ts';
import { workloadPaths, writePrivate } from '../agent/run-directory.ts';
import type { AgentStatus } from '../agent/status.ts';
import { readText } from '../agent/watch-file.ts';
import { type Environment, podConfig, type PodFiles, type PodOptions, POD_PATHS } from './environment.ts';
import { probeTarget } from './probe.ts';
import { parseProbers } from './probers.ts';
import { type PodServer, servePod } from './server.ts';

/** Writes the configuration of the pod's one workload, and gives the file's path. */
export async function writePodConfig(environment: Environment, options: PodOptions, paths = POD_PATHS): Promise<Parsed<string>> {
  const files = await podFiles(environment, paths.labels);
  if (!files.ok) return files;
  const config = podConfig(environment, options, files.value, paths);
  if (!config.ok) return config;
  await mkdir(paths.runDir, { recursive: true, mode: 0o700 });
  const file = join(paths.runDir, 'agent.json');
  await writePrivate(file, `${JSON.stringify(config.value, null, 2)}\n`, undefined);
  return { ok: true, value: file };
}

async function podFiles(environment: Environment, labelsFile: string): Promise<Parsed<PodFiles>> {
  const labels = await readText(labelsFile);
  const path = environment['ISTIO_BOOTSTRAP_OVERRIDE'] ?? '';
  const override = path === '' ? undefined : await readText(path);
  if (override?.ok === false) return refused(`ISTIO_BOOTSTRAP_OVERRIDE: ${override.reason}`);
  return { ok: true, value: { labels: labels.ok ? labels.text : undefined, bootstrapOverride: override?.text } };
}

export interface PodServing {
  readonly environment: Environment;
  readonly statusPort: number;
  readonly readyPort: number | undefined;
  readonly metricsPort: number | undefined;
  readonly runDir: string;
  readonly status: () => AgentStatus | undefined;
  readonly onQuit: () => void;
  readonly log: Logger;
}

/** Opens the ports of an injected pod's agent; undefined: the pod wants none (status port 0). */
export async function servePodPorts(given: PodServing): Promise<Parsed<PodServer | undefined>> {
  const { environment, statusPort, runDir, log } = given;
  const probers = parseProbers(environment['ISTIO_KUBE_APP_PROBERS']);
  if (!probers.ok) return refused(`ISTIO_KUBE_APP_PROBERS ${probers.reason}`);
  if (statusPort === 0) return { ok: true, value: undefined };
  const host = (environment['INSTANCE_IP'] ?? '').split(',')[0] ?? '';
  const toLocalhost = environment['REWRITE_PROBE_LEGACY_LOCALHOST_DESTINATION'] === 'true';
  const captured = environment['ISTIO_META_INTERCEPTION_MODE'] !== 'NONE' && !toLocalhost;
  const empty: AgentStatus = { pid: process.pid, time: '', roots: [], workloads: [] };
  const registry = agentMetrics(() => given.status() ?? empty);
  const paths = workloadPaths(runDir, environment['POD_NAMESPACE'] ?? '', environment['POD_NAME'] ?? '');
  const server = await servePod({
    statusPort,
    readyPort: given.readyPort,
    metricsPort: given.metricsPort,
    adminSocket: paths.adminSocket,
    probers: probers.value,
    target: toLocalhost ? { host: 'localhost', from: undefined } : probeTarget(host, captured),
    scrapes: environment['ISTIO_PROMETHEUS_ANNOTATIONS'],
    ownMetrics: () => registry.metrics(),
    onQuit: given.onQuit,
    log,
  });
  return { ok: true, value: server };
}
