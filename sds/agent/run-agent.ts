import type { GivenCommand } from '../envoy/command.ts';
import { Agent, type AgentOptions } from './agent.ts';
import type { AgentConfig } from './config.ts';
import type { ConfigDiagnostic } from './diagnostic.ts';
import { type ConfigResult, parseConfig } from './parse-config.ts';
import type { AgentStatus } from './status.ts';
import { type FileContent, readText, watchFile } from './watch-file.ts';

const LOOK_EVERY_MS = 250;

interface Source {
  /** The configuration file; followed through its changes. */
  readonly file: string;
  /** The Envoy binary where the file names none. */
  readonly defaultEnvoy?: string | undefined;
  /** The command to run as the Envoy of the one workload. */
  readonly given?: GivenCommand | undefined;
}

export type AgentStart =
  | { readonly ok: true; readonly stop: () => Promise<void>; readonly status: () => AgentStatus }
  | { readonly ok: false; readonly diagnostics: readonly ConfigDiagnostic[] };

export type RunOptions = AgentOptions & Source;

/** Reads a configuration file, as parseConfig does; a file that cannot be read is a diagnostic too. */
export async function readConfig(file: string, defaultEnvoy?: string, given?: GivenCommand): Promise<ConfigResult> {
  return configOf(await readText(file), { file, defaultEnvoy, given });
}

/** Runs an agent on a configuration file until told to stop. Does not start with a file that it cannot use. */
export async function runAgent(options: RunOptions): Promise<AgentStart> {
  const { file, timers, log, emit } = options;
  const content = await readText(file);
  const first = configOf(content, options);
  if (!first.ok) return first;
  const agent = new Agent(first.config, options);
  await agent.apply(first.config);
  const refuse = (diagnostics: readonly ConfigDiagnostic[]) => emit({ event: 'config-refused', diagnostics });
  const change = (config: AgentConfig) => {
    const reason = agent.unchangeable(config);
    if (reason !== undefined) return refuse([whole(file, reason, 'restart the agent')]);
    agent
      .apply(config)
      .catch((error: unknown) => log.error({ error: String(error) }, 'the changed configuration cannot be applied'));
  };
  const end = watchFile(file, content, LOOK_EVERY_MS, timers, (changed) => {
    const result = configOf(changed, options);
    if (result.ok) change(result.config);
    else refuse(result.diagnostics);
  });
  return {
    ok: true,
    status: () => agent.status(),
    stop: () => {
      end();
      return agent.stop();
    },
  };
}

function configOf(content: FileContent, { file, defaultEnvoy, given }: Source): ConfigResult {
  if (content.ok) return parseConfig(content.text, file, defaultEnvoy, given);
  return { ok: false, diagnostics: [whole(file, content.reason)] };
}

function whole(file: string, message: string, hint?: string): ConfigDiagnostic {
  return { file, line: 1, field: '', severity: 'error', message, hint };
}
