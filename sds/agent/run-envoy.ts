import { lastComplaint } from '../envoy/complaint.ts';
import { isLive } from '../envoy/admin.ts';
import { envoyCommand } from '../envoy/command.ts';
import { drain } from '../envoy/drain.ts';
import { EnvoySupervisor, type EnvoyEvent } from '../envoy/supervisor.ts';
import type { EnvoyConfig, WorkloadConfig } from './config.ts';
import type { WorkloadPaths } from './run-directory.ts';
import type { Surroundings } from './workload.ts';

const GRACE_MS = 3000;

export interface RunningEnvoy {
  /** Drains, then ends it. Resolves when the process is gone. */
  stop(): Promise<void>;
}

/** Starts and supervises a workload's Envoy, and tells of it as agent events. */
export function startEnvoy(
  config: WorkloadConfig & { readonly envoy: EnvoyConfig },
  paths: WorkloadPaths,
  around: Surroundings,
): RunningEnvoy {
  const { envoy, name: workload } = config;
  const { clock, timers, random, emit, setpriv } = around;
  let pid: number | undefined;
  const onEvent = (event: EnvoyEvent) => {
    switch (event.kind) {
      case 'started':
        pid = event.pid;
        emit({ event: 'started', workload, pid });
        return;
      case 'ready': {
        const admin = config.adminPort === undefined ? undefined : `127.0.0.1:${config.adminPort}`;
        emit({ event: 'ready', workload, pid, adminSocket: paths.adminSocket, sdsSocket: paths.sdsSocket, admin });
        return;
      }
      case 'exit': {
        const { code, signal, restartMs } = event;
        const reason = restartMs === undefined ? 'stopped by the agent' : event.lastWords || lastComplaint(paths.log);
        emit({ event: 'exit', workload, code, signal, reason, restartMs });
        return;
      }
      default:
        event satisfies never;
    }
  };
  const { binary, concurrency, netns, owner, extraArgs } = envoy;
  const command = envoyCommand({
    binary,
    concurrency,
    netns,
    owner,
    extraArgs,
    setpriv,
    bootstrapPath: paths.bootstrap,
    logPath: paths.log,
  });
  const supervisor = new EnvoySupervisor({
    command,
    clock,
    timers,
    random,
    onEvent,
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
