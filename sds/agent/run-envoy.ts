import { isLive } from '../envoy/admin.ts';
import { type Command, envoyCommand } from '../envoy/command.ts';
import { lastComplaint } from '../envoy/complaint.ts';
import { drain } from '../envoy/drain.ts';
import type { ProcessIdentity } from '../envoy/process.ts';
import { type EnvoyEvent, EnvoySupervisor } from '../envoy/supervisor.ts';
import type { EnvoyConfig, WorkloadConfig } from './config.ts';
import type { EnvoyRecord } from './envoy-record.ts';
import { apiSocketOf, type WorkloadPaths } from './run-directory.ts';
import type { Surroundings } from './surroundings.ts';

const GRACE_MS = 3000;

export interface RunningEnvoy {
  /** Drains, then ends it. Resolves when the process is gone. */
  stop(): Promise<void>;
}

export interface EnvoyStart {
  readonly config: WorkloadConfig;
  readonly envoy: EnvoyConfig;
  readonly command: Command;
  readonly paths: WorkloadPaths;
  readonly record: EnvoyRecord;
  readonly adopt: ProcessIdentity | undefined;
}

/** The command line of a workload's Envoy. */
export function commandOf(envoy: EnvoyConfig, paths: WorkloadPaths): Command {
  const { binary, concurrency, environment, netns, owner, extraArgs, given } = envoy;
  return envoyCommand({
    binary,
    concurrency,
    environment,
    netns,
    owner,
    extraArgs,
    given,
    bootstrapPath: paths.bootstrap,
    logPath: paths.log,
  });
}

/** Starts (or takes over) and supervises a workload's Envoy, and tells of it as agent events. */
export function startEnvoy({ config, envoy, command, paths, record, adopt }: EnvoyStart, around: Surroundings): RunningEnvoy {
  const { name: workload } = config;
  const { clock, timers, random, emit, guard } = around;
  let pid: number | undefined;
  const onEvent = (event: EnvoyEvent) => {
    switch (event.kind) {
      case 'started': {
        pid = event.pid;
        const identity = pid === undefined ? undefined : guard.watch(pid);
        if (identity !== undefined) record.write(identity);
        emit({ event: 'started', workload, pid, adopted: event.adopted });
        return;
      }
      case 'ready': {
        const admin = config.adminPort === undefined ? undefined : `127.0.0.1:${config.adminPort}`;
        const { adminSocket, sdsSocket } = paths;
        emit({ event: 'ready', workload, pid, adminSocket, sdsSocket, apiSocket: apiSocketOf(config, paths), admin });
        return;
      }
      case 'exit': {
        if (event.pid !== undefined) guard.forget(event.pid);
        record.remove();
        const { code, signal, restartMs, stopped } = event;
        const found = envoy.given === undefined ? lastComplaint(paths.log) : 'it ended by itself';
        const reason = stopped ? 'stopped by the agent' : event.lastWords || found;
        emit({ event: 'exit', workload, code, signal, reason, restartMs });
        if (!stopped && envoy.given !== undefined) around.onCommandEnd({ started: event.pid !== undefined, code, signal });
        return;
      }
      default:
        event satisfies never;
    }
  };
  const supervisor = new EnvoySupervisor({
    command,
    adopt,
    clock,
    timers,
    random,
    onEvent,
    restarts: envoy.given === undefined,
    isLive: () => isLive(paths.adminSocket),
    graceMs: GRACE_MS,
  });
  supervisor.start();
  return {
    async stop() {
      await drain(paths.adminSocket, envoy.drainMs, timers, () => clock.monotonic());
      await supervisor.stop();
    },
  };
}
