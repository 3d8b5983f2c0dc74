import { lstat, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Agent, type AgentOptions } from '../agent/agent.ts';
import type { AgentConfig } from '../agent/config.ts';
import type { AgentStatus } from '../agent/status.ts';
import { invalid } from './answer.ts';
import { KeptPods } from './kept-pods.ts';
import { checkTarget, type Mounts } from './mounts.ts';
import { NodePods } from './node-pods.ts';
import { type CsiDriver, type Listening, serveDriver, serveRegistration } from './services.ts';
import { readVolume } from './volume.ts';

export interface NodeAgentConfig {
  readonly agent: Omit<AgentConfig, 'workloads'>;
  readonly ttlSeconds: number;
  readonly domain: string;
  readonly driver: string;
  readonly version: string;
  readonly node: string;
  readonly audience: string;
  /** Targets outside it are refused. */
  readonly kubeletDir: string;
  readonly csiSocket: string;
  /** Where the kubelet looks for plugins; absent: something else registers the driver. */
  readonly registration?: { readonly directory: string; readonly endpoint: string } | undefined;
}

export interface RunningNodeAgent {
  status(): AgentStatus;
  stop(): Promise<void>;
}

/**
 * One agent for the pods of a node, told of them by its kubelet through CSI. The kubelet hears of the driver last: when the pods of before are
 * served again. On stop, mounts and folders stay: pods outlive their node agent, and the next one serves in the same folders.
 */
export async function runNodeAgent(
  config: NodeAgentConfig,
  options: Omit<AgentOptions, 'onCommandEnd' | 'readToken'>,
  mounts: Mounts,
): Promise<RunningNodeAgent> {
  const { log, emit, clock, timers } = options;
  const { runDir } = config.agent;
  await mkdir(runDir, { recursive: true, mode: 0o700 });
  const kept = new KeptPods(runDir, log);
  let pods: NodePods | undefined;
  const agent = new Agent(
    { ...config.agent, workloads: [] },
    {
      ...options,
      onCommandEnd: () => {},
      readToken: (file) => kept.readToken(file, clock.now().getTime()),
      emit: (event) => {
        pods?.heard(event);
        emit(event);
      },
    },
  );
  const { ttlSeconds, domain } = config;
  const own = new NodePods({ agent, config: config.agent, ttlSeconds, domain, kept, mounts, timers, log });
  pods = own;
  const opened: Listening[] = [];
  const stop = async (): Promise<void> => {
    for (const server of opened.reverse()) await server.close();
    await agent.stop();
  };
  try {
    await own.recover(await kept.open(), async (target) => (await lstat(target).catch(() => undefined)) !== undefined);
    const driver = driverOf(config, own);
    await mkdir(dirname(config.csiSocket), { recursive: true, mode: 0o750 });
    opened.push(await serveDriver(config.csiSocket, driver, log));
    if (config.registration !== undefined) {
      const { directory, endpoint } = config.registration;
      opened.push(await serveRegistration(join(directory, `${driver.name}-reg.sock`), endpoint, driver, log));
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { status: () => agent.status(), stop };
}

function driverOf(config: NodeAgentConfig, pods: NodePods): CsiDriver {
  const { driver: name, version, node, audience, kubeletDir } = config;
  const target = async (path: string): Promise<string> => {
    const checked = await checkTarget(path, kubeletDir);
    if (!checked.ok) throw invalid(checked.reason);
    return checked.value;
  };
  return {
    name,
    version,
    node,
    async publish(request) {
      const volume = readVolume(request, audience);
      if (!volume.ok) throw invalid(volume.reason);
      await target(volume.value.target);
      await pods.publish(volume.value);
    },
    async unpublish(volumeId, targetPath) {
      const checked = await checkTarget(targetPath, kubeletDir);
      // The folder above is gone: so is the mount that was in it.
      if (!checked.ok && (await lstat(join(targetPath, '..')).catch(() => undefined)) !== undefined)
        throw invalid(checked.reason);
      await pods.unpublish(volumeId, targetPath);
    },
  };
}
