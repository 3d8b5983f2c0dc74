import { join } from 'node:path';
import { Child } from './child.ts';
import type { UpOptions } from './options.ts';
import type { RunDir } from './run-dir.ts';
import { self } from './self.ts';
import { TOKEN_AUDIENCE, TOKEN_ISSUER } from './tokens.ts';

/** What `gatehouse serve` says once it is ready. */
export interface ControlPlaneReady {
  readonly pid: number;
  readonly grpc: string;
  readonly http: string;
  readonly page: string | undefined;
  readonly rootCert: string;
}

export interface ControlPlaneAddresses {
  /** The first is the one that is told; the same after every restart, so that proxies find it again. */
  readonly grpc: readonly string[];
  readonly http: string;
  readonly page: string | undefined;
}

function auditArguments({ auditStore }: UpOptions, dir: RunDir): readonly string[] {
  if (auditStore?.engine !== 'postgres') return ['--audit-db', auditStore?.file ?? dir.auditDb];
  const { url, passwordFile } = auditStore;
  return ['--audit-db', url, ...(passwordFile === undefined ? [] : ['--audit-db-password-file', passwordFile])];
}

function parseReady(line: string, pid: number): ControlPlaneReady | undefined {
  let content: unknown;
  try {
    content = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof content !== 'object' || content === null) return undefined;
  const fields: Readonly<Record<string, unknown>> = { ...content };
  const { grpc, http, page, rootCert } = fields;
  if (fields['ready'] !== true || typeof grpc !== 'string' || typeof http !== 'string' || typeof rootCert !== 'string')
    return undefined;
  return { pid, grpc, http, page: typeof page === 'string' ? page : undefined, rootCert };
}

/** Runs `gatehouse serve`, again whenever it ends. */
export class ControlPlane {
  readonly child: Child;
  readonly #onReady: (ready: ControlPlaneReady) => void;
  /** Settles with the first start: rejected when the process ends before it is ready. */
  readonly started: Promise<ControlPlaneReady>;

  constructor(
    options: UpOptions,
    dir: RunDir,
    addresses: ControlPlaneAddresses,
    events: {
      readonly onReady: (ready: ControlPlaneReady) => void;
      readonly onStart: (pid: number) => void;
      readonly onExit: (how: string) => void;
    },
  ) {
    this.#onReady = events.onReady;
    const args = [
      'serve',
      ...options.paths.flatMap((path) => ['-f', path]),
      ...['--generated', dir.pods],
      ...(options.meshConfigFile === undefined ? [] : ['--mesh-config', options.meshConfigFile]),
      ...['--ca-dir', dir.ca, '--jwks', dir.jwks, '--token-issuer', TOKEN_ISSUER, '--token-audience', TOKEN_AUDIENCE],
      ...addresses.grpc.flatMap((address) => ['--grpc-address', address]),
      ...['--http-address', addresses.http],
      ...(addresses.page === undefined ? [] : ['--page-address', addresses.page]),
      ...options.served.arguments,
      ...auditArguments(options, dir),
      ...['--certificate-ttl', options.certificateTtl],
      ...(options.automaticScope ? ['--automatic-scope'] : []),
      ...(options.alertsFile === undefined ? [] : ['--alerts', options.alertsFile]),
      ...options.federation,
    ];
    const first = Promise.withResolvers<ControlPlaneReady>();
    this.started = first.promise;
    // Whoever waits for it sees the rejection; nobody may be waiting.
    first.promise.catch(() => {});
    let pid = 0;
    this.child = new Child(() => self(args), join(dir.logs, 'control-plane.log'), 5000, {
      onStart: (started) => {
        pid = started;
        events.onStart(started);
      },
      onLine: (line) => {
        const ready = parseReady(line, pid);
        if (ready === undefined) return;
        first.resolve(ready);
        this.#onReady(ready);
      },
      onExit: ({ code, signal, restartMs }) => {
        const how = signal ?? `code ${String(code)}`;
        first.reject(new Error(`the control plane ended with ${how}:\n${this.child.lastWords()}`));
        if (restartMs !== undefined) events.onExit(`${how}; again in ${String(restartMs)} ms`);
      },
    });
  }
}
