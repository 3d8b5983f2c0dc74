// A real Kubernetes API (kube-apiserver with etcd) for one test file.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before } from 'mocha';
import { stringify } from 'yaml';
import { eventually } from '../eventually.ts';
import { type KubernetesPrograms, kubernetesPrograms } from '../tools/kube-api-server.ts';
import { writeClusterCertificates } from './cluster-certificates.ts';

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export interface TokenWish {
  readonly audiences?: readonly string[];
  readonly seconds?: number;
  /** The Pod that the token is bound to. */
  readonly pod?: string;
}

export class ApiServer {
  readonly #programs: KubernetesPrograms;
  readonly #folder: string;
  readonly #isIssuer: boolean;
  #children: readonly ChildProcess[] = [];
  #port: number;
  #kubeconfigs = 0;

  private constructor(programs: KubernetesPrograms, folder: string, port: number, isIssuer: boolean) {
    this.#programs = programs;
    this.#folder = folder;
    this.#port = port;
    this.#isIssuer = isIssuer;
  }

  /** Started and ready. `isIssuer`: its tokens name its own address, where the issuer's keys can be found (OIDC discovery). */
  static async start(programs: KubernetesPrograms, isIssuer = false): Promise<ApiServer> {
    const folder = mkdtempSync(join(tmpdir(), 'gh-kube-'));
    await writeClusterCertificates(folder);
    const server = new ApiServer(programs, folder, isIssuer ? await freePort() : 0, isIssuer);
    await server.start();
    writeFileSync(server.kubeconfig, server.#configFor({ 'client-certificate': 'admin.crt', 'client-key': 'admin.key' }), {
      mode: 0o600,
    });
    return server;
  }

  get url(): string {
    return `https://127.0.0.1:${this.#port}`;
  }

  /** The cluster's own CA, PEM. */
  get ca(): string {
    return readFileSync(join(this.#folder, 'ca.crt'), 'utf8');
  }

  /** The administrator's; a path. */
  get kubeconfig(): string {
    return join(this.#folder, 'admin.kubeconfig');
  }

  get issuer(): string {
    return this.#isIssuer ? this.url : 'https://kubernetes.default.svc.cluster.local';
  }

  /** What the servers wrote, for the message of a test that failed. */
  get log(): string {
    return readFileSync(join(this.#folder, 'log'), 'utf8');
  }

  /** False with KUBEBUILDER_ASSETS: nobody makes ServiceAccounts, EndpointSlices or a Deployment's Pods there. */
  get hasControllers(): boolean {
    return this.#programs.form === 'one';
  }

  /** Starts again on the same data and the same port. */
  async start(): Promise<void> {
    const log = openSync(join(this.#folder, 'log'), 'a');
    try {
      this.#children = await (this.#programs.form === 'one'
        ? this.#startOne(this.#programs.server, log)
        : this.#startAssets(this.#programs, log));
    } finally {
      closeSync(log);
    }
    await eventually(
      'the API server is ready',
      async () => {
        if (this.#children.some(({ exitCode }) => exitCode !== null)) throw new Error(`the API server ended:\n${this.log}`);
        const answer = await this.request('GET', '/readyz').catch(() => undefined);
        if (answer?.status !== 200) return undefined;
        if (!this.hasControllers) return true;
        const account = await this.request('GET', '/api/v1/namespaces/default/serviceaccounts/default').catch(() => undefined);
        return account?.status === 200 ? true : undefined;
      },
      120_000,
    );
  }

  /** As when its machine is gone: no connection is closed in order. */
  async kill(): Promise<void> {
    for (const child of this.#children) await ended(child, 'SIGKILL');
    this.#children = [];
  }

  /** Connections stay open and nothing is answered, until `resume`. */
  pause(): void {
    for (const child of this.#children) sendTo(child, 'SIGSTOP');
  }

  resume(): void {
    for (const child of this.#children) sendTo(child, 'SIGCONT');
  }

  async close(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** One request as the administrator, or with a token. Bodies are JSON. */
  request(method: string, path: string, body?: unknown, options: { token?: string; contentType?: string } = {}): Promise<Answer> {
    const file = (name: string): string => readFileSync(join(this.#folder, name), 'utf8');
    const who =
      options.token === undefined
        ? { cert: file('admin.crt'), key: file('admin.key') }
        : { headers: { authorization: `Bearer ${options.token}` } };
    return new Promise((resolve, reject) => {
      const sent = request(`${this.url}${path}`, { method, ca: this.ca, agent: false, timeout: 20_000, ...who }, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: parsed(text) }));
        response.on('error', reject);
      });
      sent.on('error', reject);
      sent.on('timeout', () => sent.destroy(new Error('no answer within 20 s')));
      if (body !== undefined) {
        const standard = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
        sent.setHeader('content-type', options.contentType ?? standard);
        sent.write(JSON.stringify(body));
      }
      sent.end();
    });
  }

  /** kubectl as the administrator, or with another kubeconfig. */
  async kubectl(args: readonly string[], options: { input?: string; kubeconfig?: string } = {}): Promise<Ran> {
    const [command, ...first] =
      this.#programs.form === 'one' ? [this.#programs.server, 'kubectl'] : ([this.#programs.kubectl] as const);
    // HOME: kubectl keeps what it discovered there.
    const env = { ...process.env, HOME: this.#folder, KUBECONFIG: options.kubeconfig ?? this.kubeconfig };
    const child = spawn(command, [...first, ...args], { env, stdio: 'pipe' });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.stdin.end(options.input ?? '');
    await once(child, 'close');
    return { code: child.exitCode, stdout, stderr };
  }

  /** `kubectl apply -f -` of YAML text or of objects. @throws Error with what kubectl said */
  async apply(...objects: readonly (string | object)[]): Promise<string> {
    const input = objects.map((object) => (typeof object === 'string' ? object : stringify(object))).join('\n---\n');
    const { code, stdout, stderr } = await this.kubectl(['apply', '-f', '-'], { input });
    if (code !== 0) throw new Error(`kubectl apply: ${stdout}${stderr}`);
    return `${stdout}${stderr}`;
  }

  /** A token as a kubelet would ask for it. */
  async token(namespace: string, account: string, { audiences, seconds = 3600, pod }: TokenWish = {}): Promise<string> {
    const bound = pod === undefined ? {} : { boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: pod } };
    const { status, body } = await this.request('POST', `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { ...(audiences === undefined ? {} : { audiences }), expirationSeconds: seconds, ...bound },
    });
    const token = at(body, 'status', 'token');
    if (typeof token !== 'string') throw new Error(`no token (${status}): ${JSON.stringify(body)}`);
    return token;
  }

  /** A kubeconfig with a ServiceAccount's token: what RBAC refuses that account is refused. A path. */
  async kubeconfigFor(namespace: string, account: string): Promise<string> {
    this.#kubeconfigs += 1;
    const path = join(this.#folder, `account-${this.#kubeconfigs}.kubeconfig`);
    writeFileSync(path, this.#configFor({ token: await this.token(namespace, account) }), { mode: 0o600 });
    return path;
  }

  #configFor(user: Readonly<Record<string, string>>): string {
    return stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'test',
      clusters: [{ name: 'test', cluster: { server: this.url, 'certificate-authority': join(this.#folder, 'ca.crt') } }],
      users: [
        {
          name: 'test',
          user: Object.fromEntries(
            Object.entries(user).map(([key, value]) => [key, key === 'token' ? value : join(this.#folder, value)]),
          ),
        },
      ],
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    });
  }

  #flags(): readonly string[] {
    const file = (name: string): string => join(this.#folder, name);
    return [
      '--advertise-address=127.0.0.1',
      '--endpoint-reconciler-type=none',
      `--tls-cert-file=${file('server.crt')}`,
      `--tls-private-key-file=${file('server.key')}`,
      `--client-ca-file=${file('ca.crt')}`,
      '--authorization-mode=RBAC',
      '--allow-privileged=true',
      `--service-account-issuer=${this.issuer}`,
      ...(this.#isIssuer ? [`--service-account-jwks-uri=${this.url}/openid/v1/jwks`] : []),
      `--service-account-key-file=${file('accounts.pub')}`,
      `--service-account-signing-key-file=${file('accounts.key')}`,
      '--service-cluster-ip-range=10.96.0.0/16',
      '--shutdown-delay-duration=0s',
    ];
  }

  async #startOne(program: string, log: number): Promise<readonly ChildProcess[]> {
    const child = spawn(program, [this.#folder, String(this.#port), ...this.#flags()], { stdio: ['pipe', 'pipe', log] });
    if (child.stdout === null) throw new Error('the API server has no standard output');
    const lines = createInterface({ input: child.stdout });
    const line = await Promise.race([
      once(lines, 'line').then(([text]) => String(text)),
      once(child, 'exit').then(() => undefined),
    ]);
    const port = line === undefined ? undefined : at(parsed(line), 'port');
    if (typeof port !== 'number') throw new Error(`the API server did not start:\n${this.log}`);
    this.#port = port;
    return [child];
  }

  async #startAssets(
    { etcd, apiServer }: { readonly etcd: string; readonly apiServer: string },
    log: number,
  ): Promise<readonly ChildProcess[]> {
    if (this.#port === 0) this.#port = await freePort();
    const [client, peer] = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
    // The shell ends what it started when standard input does, that is with the test.
    const bound = (command: string, args: readonly string[]): ChildProcess =>
      spawn('sh', ['-c', '"$@" </dev/null & p=$!; cat >/dev/null; kill -9 $p', 'sh', command, ...args], {
        stdio: ['pipe', 'ignore', log],
        detached: true,
      });
    const data = ['--data-dir', join(this.#folder, 'etcd'), '--unsafe-no-fsync', '--log-level', 'error'];
    const addresses = ['--listen-client-urls', client, '--advertise-client-urls', client, '--listen-peer-urls', peer];
    return [
      bound(etcd, [...data, ...addresses]),
      bound(apiServer, [
        ...this.#flags(),
        `--etcd-servers=${client}`,
        '--bind-address=127.0.0.1',
        `--secure-port=${this.#port}`,
        '--disable-admission-plugins=ServiceAccount',
      ]),
    ];
  }
}

/** One server for all tests of a `describe`. Without one the tests are skipped by name; with CI set they fail. */
export function withApiServer({ isIssuer = false } = {}): () => ApiServer {
  let server: ApiServer | undefined;
  before(async function () {
    // The first build takes minutes.
    this.timeout(1_800_000);
    const programs = kubernetesPrograms();
    if (programs === undefined) {
      if (process.env['CI'] !== undefined) throw new Error('tests against Kubernetes need Go or KUBEBUILDER_ASSETS');
      return this.skip();
    }
    server = await ApiServer.start(programs, isIssuer);
  });
  after(async function () {
    this.timeout(60_000);
    await server?.close();
  });
  return () => {
    if (server === undefined) throw new Error('the API server is there only while tests run');
    return server;
  };
}

/** What lies at a path of keys in a value that came as JSON. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  let here = value;
  for (const key of path) {
    if (typeof here !== 'object' || here === null) return undefined;
    here = Object.entries(here).find(([name]) => name === key)?.[1];
  }
  return here;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  // A shell that guards a server ends it when its input does.
  if (child.spawnfile === 'sh') child.stdin?.end();
  else child.kill(signal);
  sendTo(child, 'SIGCONT');
  await exit;
}

/** To the server itself, which with KUBEBUILDER_ASSETS is in the group of a shell. */
function sendTo(child: ChildProcess, name: NodeJS.Signals): void {
  if (child.spawnfile === 'sh' && child.pid !== undefined) process.kill(-child.pid, name);
  else child.kill(name);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
