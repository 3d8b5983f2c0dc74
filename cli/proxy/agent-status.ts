import { request } from 'node:http';
import type { AgentStatus } from '../../sds/agent/status.ts';
import { statusSocket } from '../../sds/agent/status-server.ts';
import { readBody } from './body.ts';

/** Asks the agent on a run directory. Rejects with what to do where there is none. */
export async function agentStatus(runDir: string): Promise<AgentStatus> {
  const socketPath = statusSocket(runDir);
  try {
    const status: AgentStatus = JSON.parse(await readBody(request({ socketPath, path: '/status' })));
    return status;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EACCES')
      throw new Error(`${socketPath} belongs to the agent's user (run as that user, or root)`, { cause: error });
    if (code === 'ENOENT' || code === 'ECONNREFUSED')
      throw new Error(`no agent runs in ${runDir} (name its runDir with --run-dir, or its file with --config)`, { cause: error });
    throw error;
  }
}
