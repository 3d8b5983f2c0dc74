// A mesh of `gatehouse up`, whose objects are files.
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import type { Outcome, Reply, ReportedEdge, RunningMesh } from '../running-mesh.ts';
import type { Asked, MeshUnderRollout } from './mesh-under-rollout.ts';

const WAIT_MS = 15_000;

export class FolderMesh implements MeshUnderRollout {
  readonly plainTextFrom = '127.0.0.1';
  readonly #mesh: RunningMesh;

  constructor(mesh: RunningMesh) {
    this.#mesh = mesh;
  }

  get gateway(): string {
    return this.#mesh.gateway;
  }

  get authority(): MeshUnderRollout['authority'] {
    return this.#mesh.ready.controlPlane;
  }

  get auditFile(): string {
    return this.#mesh.auditFile;
  }

  async token(workload: string): Promise<string> {
    const [namespace = ''] = workload.split('/');
    const file = `${namespace}.${this.#mesh.workload(workload).pod}`;
    return readFileSync(join(this.#mesh.ready.runDir, 'tokens', file), 'utf8').trim();
  }

  address(workload: string): string {
    return this.#mesh.workload(workload).ip;
  }

  ask(workload: string, url: string, { method = 'GET', headers = {} }: Asked = {}): Promise<Reply> {
    const { appAddress } = this.#mesh.workload(workload);
    const sent = { host: appAddress, port: 15001, path: url, method, timeout: WAIT_MS };
    return replyTo({ ...sent, headers: { ...headers, host: new URL(url).host, connection: 'close' } });
  }

  async put(name: string, text: string): Promise<void> {
    const written = join(this.#mesh.dir, `.${name}.yaml`);
    writeFileSync(written, text);
    renameSync(written, join(this.#mesh.dir, `${name}.yaml`));
  }

  async remove(name: string): Promise<void> {
    rmSync(join(this.#mesh.dir, `${name}.yaml`));
  }

  settled(): Promise<void> {
    return this.#mesh.settled();
  }

  rollout(command: string, namespace: string, ...flags: readonly string[]): Promise<Outcome> {
    return this.#mesh.gatehouse('rollout', command, namespace, '--ca-dir', join(this.#mesh.ready.runDir, 'ca'), ...flags);
  }

  async policies(namespace: string): Promise<string> {
    return (await this.#mesh.gatehouse('get', 'authorizationpolicy', '-n', namespace, '--dir', this.#mesh.dir)).stdout;
  }

  edges(): Promise<readonly ReportedEdge[]> {
    return this.#mesh.edges();
  }

  log(): string {
    return this.#mesh.log();
  }
}

/** What comes back for one request, whole. */
export function replyTo(sending: {
  readonly host?: string;
  readonly port?: number;
  readonly socketPath?: string;
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeout: number;
}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = request(sending, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString() }),
      );
    });
    sent.on('timeout', () => sent.destroy(new Error(`no answer from ${sending.path} in ${sending.timeout} ms`)));
    sent.on('error', reject);
    sent.end();
  });
}
