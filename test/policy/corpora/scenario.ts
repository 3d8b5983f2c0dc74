import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Call } from '../envoy/caller.ts';
import type { Target } from '../envoy/target.ts';
import { casesOf } from './corpus.ts';

export interface Asked {
  readonly from: {
    readonly principal: string | null;
    readonly mtls: boolean;
    readonly ip?: string;
    readonly remoteIp?: string | null;
  };
  readonly port: { readonly name: string; readonly protocol: string; readonly number: number; readonly servicePort?: number };
  readonly sni?: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly jwt?: string;
  readonly expect: {
    readonly decision: 'allow' | 'deny';
    readonly status?: number;
    readonly grpcStatus?: string;
    readonly upstreamRequestHeaders?: Readonly<Record<string, string>>;
  };
}

export interface Scenario {
  readonly id: string;
  readonly config: string;
  readonly rootNamespace: string;
  readonly meshConfig: object;
  readonly tags: readonly string[];
  readonly target: Target & { readonly fqdn?: string; readonly ip?: string };
  readonly requests: readonly Asked[];
}

export const SCENARIOS = 'authz-scenarios';

export function scenarios(): readonly Scenario[] {
  return casesOf<Scenario>(SCENARIOS);
}

/** The corpus's tokens by name. */
export class Tokens {
  readonly #byName: Readonly<Record<string, unknown>>;

  constructor(folder: string) {
    this.#byName = JSON.parse(readFileSync(join(folder, 'jwt', 'tokens.json'), 'utf8')) as Readonly<Record<string, unknown>>;
  }

  text(name: string): string {
    const entry = this.#byName[name];
    return typeof entry === 'string' ? entry : ((entry as { readonly token?: string } | undefined)?.token ?? '');
  }

  /** The middle part, as the token has it. */
  payload(name: string): string {
    return this.text(name).split('.')[1] ?? '';
  }

  claims(name: string): Readonly<Record<string, unknown>> {
    return JSON.parse(Buffer.from(this.payload(name), 'base64url').toString() || '{}') as Readonly<Record<string, unknown>>;
  }

  /** Writes the tokens in for `@jwt:NAME`, `@bearer:NAME` and `@payload:NAME`. */
  fill(text: string): string {
    return text.replace(/@(jwt|bearer|payload):(\w+)/g, (_, what: string, name: string) => {
      if (what === 'payload') return this.payload(name);
      return what === 'bearer' ? `Bearer ${this.text(name)}` : this.text(name);
    });
  }
}

export function hostOf({ headers = {} }: Asked, { target }: Scenario): string {
  return headers['host'] ?? headers['Host'] ?? target.fqdn ?? 'app.test';
}

/** The server name that the caller's proxy sends, where it has one. */
export function sniOf(asked: Asked, { target }: Scenario): string | undefined {
  if (asked.from.principal === null || target.fqdn === undefined) return undefined;
  return asked.sni ?? `outbound_.${asked.port.servicePort ?? asked.port.number}_._.${target.fqdn}`;
}

/** As `gatehouse policy check` takes it. */
export function written(asked: Asked, scenario: Scenario, tokens: Tokens, protocol: string): object {
  const { target } = scenario;
  return {
    source: asked.from,
    destination: {
      namespace: target.namespace,
      labels: target.labels,
      ip: target.ip,
      port: asked.port.number,
      protocol,
      sni: sniOf(asked, scenario),
    },
    request: { method: asked.method, path: asked.path, host: hostOf(asked, scenario), headers: { ...asked.headers } },
    jwt: asked.jwt === undefined ? undefined : { claims: tokens.claims(asked.jwt) },
  };
}

/** The request as it goes over the wire, but for where to and who from. */
export function callOf(asked: Asked, scenario: Scenario, tokens: Tokens): Omit<Call, 'to' | 'shown'> {
  const given = Object.entries(asked.headers ?? {}).map(([name, value]) => [name, tokens.fill(value)] as const);
  const { protocol } = asked.port;
  const upgrade = given.some(([name, value]) => name.toLowerCase() === 'upgrade' && value === 'websocket');
  return {
    protocol: upgrade ? 'WEBSOCKET' : protocol.startsWith('HTTPS') ? 'HTTP' : protocol,
    sni: sniOf(asked, scenario),
    method: asked.method,
    path: asked.path === undefined ? undefined : tokens.fill(asked.path),
    headers: {
      ...(asked.jwt === undefined ? {} : { authorization: `Bearer ${tokens.text(asked.jwt)}` }),
      ...(typeof asked.from.remoteIp === 'string' ? { 'x-forwarded-for': asked.from.remoteIp } : {}),
      ...Object.fromEntries(given),
      host: hostOf(asked, scenario),
    },
  };
}
