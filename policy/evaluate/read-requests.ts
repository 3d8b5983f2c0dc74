import { withScheme } from '../../ca/identity/spiffe-id.ts';
import type { Labels } from '../../mesh/model/object.ts';
import { parsePort } from '../../mesh/model/port.ts';
import type { Request, Token } from './request.ts';

/** A question as a user writes it, with the name it is known by. */
export interface NamedRequest {
  readonly name: string;
  readonly request: Request;
}

/** What is wrong with a list of requests, one line for each fault: `[2].destination.port: ...`. */
export interface ReadRequests {
  readonly requests: readonly NamedRequest[];
  readonly faults: readonly string[];
  /** Fields that say nothing here, in the same form. A misspelt one would change an answer unseen. */
  readonly unknown: readonly string[];
}

type Fault = (path: string, message: string, unknown?: 'unknown') => void;
type Fields = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** One mapping; absent is empty. */
function fields(value: unknown, path: string, known: readonly string[] | undefined, fault: Fault): Fields {
  if (value === undefined || value === null) return {};
  if (!isRecord(value)) {
    fault(path, 'must be a mapping');
    return {};
  }
  for (const name of known === undefined ? [] : Object.keys(value)) {
    if (known?.includes(name) === false) fault(`${path}.${name}`, `is not known; known here: ${known.join(', ')}`, 'unknown');
  }
  return value;
}

function text(parent: Fields, name: string, path: string, fault: Fault): string | undefined {
  const value = parent[name];
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value === 'string') return value;
  fault(`${path}.${name}`, 'must be text');
  return undefined;
}

function texts(value: unknown, path: string, fault: Fault): readonly string[] {
  if (value === undefined || value === null) return [];
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.flatMap((item) => {
    if (typeof item === 'string') return [item];
    if (typeof item === 'number' || typeof item === 'boolean') return [String(item)];
    fault(path, 'must be text, or a list of texts');
    return [];
  });
}

function labels(value: unknown, path: string, fault: Fault): Labels {
  const entries = Object.entries(fields(value, path, undefined, fault));
  return Object.fromEntries(entries.map(([name, label]) => [name, texts(label, `${path}.${name}`, fault)[0] ?? '']));
}

const PROTOCOLS: Readonly<Record<string, Request['destination']['protocol']>> = Object.freeze({
  HTTP: 'HTTP',
  HTTP2: 'HTTP',
  GRPC: 'GRPC',
  TCP: 'TCP',
});

function destinationOf(value: unknown, path: string, fault: Fault): Request['destination'] {
  const known = ['namespace', 'labels', 'serviceAccount', 'ip', 'port', 'protocol', 'sni'];
  const given = fields(value, path, known, fault);
  const namespace = text(given, 'namespace', path, fault);
  if (namespace === undefined) fault(`${path}.namespace`, 'must be given');
  const written = given['port'];
  const number = typeof written === 'string' && /^\d{1,5}$/.test(written) ? Number(written) : written;
  const port = parsePort(number);
  if (written !== undefined && written !== null && port === undefined) fault(`${path}.port`, 'must be a number from 1 to 65535');
  const asked = text(given, 'protocol', path, fault) ?? 'HTTP';
  const protocol = Object.hasOwn(PROTOCOLS, asked.toUpperCase()) ? PROTOCOLS[asked.toUpperCase()] : undefined;
  if (protocol === undefined) fault(`${path}.protocol`, 'must be HTTP, GRPC or TCP');
  return {
    namespace: namespace ?? '',
    labels: labels(given['labels'], `${path}.labels`, fault),
    ip: text(given, 'ip', path, fault),
    port,
    protocol: protocol ?? 'HTTP',
    sni: text(given, 'sni', path, fault),
  };
}

function sourceOf(value: unknown, path: string, fault: Fault): Request['source'] {
  const given = fields(value, path, ['principal', 'namespace', 'ip', 'remoteIp'], fault);
  const principal = text(given, 'principal', path, fault);
  text(given, 'namespace', path, fault);
  return {
    principal: principal === undefined ? undefined : withScheme(principal),
    ip: text(given, 'ip', path, fault),
    remoteIp: text(given, 'remoteIp', path, fault),
  };
}

function httpOf(value: unknown, path: string, fault: Fault): Request['http'] {
  const given = fields(value, path, ['method', 'host', 'path', 'headers'], fault);
  const headers = new Map<string, readonly string[]>();
  for (const [name, lines] of Object.entries(fields(given['headers'], `${path}.headers`, undefined, fault))) {
    const lower = name.toLowerCase();
    if (lines !== null) headers.set(lower, [...(headers.get(lower) ?? []), ...texts(lines, `${path}.headers.${name}`, fault)]);
  }
  return {
    method: text(given, 'method', path, fault),
    host: text(given, 'host', path, fault),
    path: text(given, 'path', path, fault),
    headers,
  };
}

function tokenOf(value: unknown, path: string, fault: Fault): Token | undefined {
  if (value === undefined || value === null) return undefined;
  const given = fields(value, path, ['issuer', 'subject', 'audiences', 'claims', 'presenter'], fault);
  const claims = fields(given['claims'], `${path}.claims`, undefined, fault);
  const claimed = (name: string): string | undefined => (typeof claims[name] === 'string' ? claims[name] : undefined);
  const issuer = text(given, 'issuer', path, fault) ?? claimed('iss');
  const subject = text(given, 'subject', path, fault) ?? claimed('sub');
  const presenter = text(given, 'presenter', path, fault) ?? claimed('azp');
  const audiences = texts(given['audiences'] ?? claims['aud'], `${path}.audiences`, fault);
  const standard = { iss: issuer, sub: subject, azp: presenter, aud: audiences.length === 0 ? undefined : audiences };
  return { issuer, subject, presenter, audiences, claims: { ...standard, ...claims } };
}

function answersOf(value: unknown, path: string, fault: Fault): Pick<Request, 'extAuthz'> {
  if (value === undefined || value === null) return {};
  const answers = new Map<string, 'allow' | 'deny'>();
  for (const [provider, written] of Object.entries(fields(value, path, undefined, fault))) {
    const answer = typeof written === 'string' ? written.toLowerCase() : '';
    if (answer === 'allow' || answer === 'deny') answers.set(provider, answer);
    else fault(`${path}.${provider}`, 'must be allow or deny');
  }
  return { extAuthz: answers };
}

/**
 * Reads the list that `gatehouse policy check --requests` takes, already parsed from YAML or JSON. A field that is
 * absent, null or empty is absent in the request; a request may hold more than is asked for here (what is expected, notes). `source.namespace` is
 * only for people, since the mesh learns it from the principal.
 */
export function readRequests(input: unknown): ReadRequests {
  if (!Array.isArray(input)) return { requests: [], faults: ['must be a list of requests'], unknown: [] };
  const faults: string[] = [];
  const unknown: string[] = [];
  const fault: Fault = (path, message, kind) => (kind === 'unknown' ? unknown : faults).push(`${path}: ${message}`);
  const items: readonly unknown[] = input;
  const requests = items.map((item, index): NamedRequest => {
    const path = `[${index}]`;
    const given = fields(item, path, undefined, fault);
    return {
      name: text(given, 'name', path, fault) ?? `request ${index}`,
      request: {
        source: sourceOf(given['source'], `${path}.source`, fault),
        destination: destinationOf(given['destination'], `${path}.destination`, fault),
        http: httpOf(given['request'], `${path}.request`, fault),
        token: tokenOf(given['jwt'], `${path}.jwt`, fault),
        ...answersOf(given['extAuthz'], `${path}.extAuthz`, fault),
      },
    };
  });
  return { requests, faults, unknown };
}
