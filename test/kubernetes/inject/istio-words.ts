// Istio's words for what a container does, and ours, as one form.
import { isObject, type Json, type JsonObject } from '../../../kubernetes/inject/json.ts';

/** Flags with their values: `-p 15001`, `--port 15001`, `--port=15001`. */
function flags(args: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] ?? '';
    if (!arg.startsWith('-')) continue;
    const [name = '', ...rest] = arg.split('=');
    const next = args[index + 1];
    if (rest.length > 0) found.set(name, rest.join('='));
    else if (next !== undefined && !(next.startsWith('-') && next.length > 1)) found.set(name, next);
    else found.set(name, 'true');
  }
  return found;
}

const CAPTURE: Readonly<Record<string, string>> = {
  '-p': 'outbound-port',
  '-z': 'inbound-port',
  '-u': 'proxy-uid',
  '-g': 'proxy-gid',
  '-m': 'mode',
  '-i': 'include-outbound-ranges',
  '-x': 'exclude-outbound-ranges',
  '-b': 'include-inbound-ports',
  '-d': 'exclude-inbound-ports',
  '-q': 'include-outbound-ports',
  '-o': 'exclude-outbound-ports',
  '-k': 'virtual-interfaces',
  '-c': 'exclude-interfaces',
  '--log_output_level': 'log-level',
  '--run-validation': 'probe',
};

/** Options of a capture, whichever of the two it was written for. */
export function captureOptions(args: readonly string[]): JsonObject {
  const result: Record<string, Json> = {};
  for (const [flag, value] of flags(args)) {
    if (flag === '--skip-rule-apply') continue;
    const name = CAPTURE[flag] ?? flag.replace(/^--/, '');
    const plain = name === 'log-level' ? value.replace(/^default:/, '') : value;
    const list = name.endsWith('-ports') ? [...new Set(plain.split(','))].join(',') : plain;
    // Istio's default: the group of the same number as the user.
    if (name === 'proxy-gid') continue;
    // The one that there is here.
    if (name === 'mode' && value === 'REDIRECT') continue;
    if (list !== '') result[name] = list;
  }
  return result;
}

const AGENT: Readonly<Record<string, string>> = {
  '--proxyLogLevel': 'proxy-log-level',
  '--proxyComponentLogLevel': 'proxy-component-log-level',
  '--log_output_level': 'log-level',
};

function agent(args: readonly string[]): JsonObject {
  const all = flags(args);
  const result: Record<string, Json> = { kind: all.get('--pod') ?? args[1] ?? '' };
  for (const [flag, value] of all) {
    if (flag === '--pod' || flag === '--status-port') continue;
    const name = AGENT[flag] ?? flag.replace(/^--/, '');
    result[name] =
      name === 'log-level'
        ? value.replace(/^default:/, '')
        : name === 'domain'
          ? value.replace(/^\$\(POD_NAMESPACE\)\.svc\./, '')
          : value;
  }
  return result;
}

/** What a hook of the proxy asks of its agent. */
function lifecycle(value: Json | undefined): JsonObject | undefined {
  if (!isObject(value)) return undefined;
  return Object.fromEntries(
    Object.entries(value).map(([hook, handler]) => {
      const command = isObject(handler) && isObject(handler['exec']) ? handler['exec']['command'] : undefined;
      const words = Array.isArray(command) ? command.map(String) : [];
      const [program] = words;
      if (program !== 'gatehouse' && program !== 'pilot-agent') return [hook, handler];
      const all = flags(words);
      const port = all.get('--debug-port') ?? all.get('--status-port') ?? '';
      const asked = words.includes('drain') ? `drain ${port}` : words.includes('wait') ? 'wait' : words.join(' ');
      return [hook, asked];
    }),
  );
}

export const captureOptionsOf = { agent, lifecycle };
