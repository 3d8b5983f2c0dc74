import { rm } from 'node:fs/promises';
import type { Logger } from 'pino';
import { WorkloadLog } from '../access-log/workload-log.ts';
import { grpcSigner } from '../authority/client.ts';
import { bootstrapJson } from '../bootstrap/bootstrap.ts';
import { endLeftover } from '../envoy/drain.ts';
import { restartDelay } from '../envoy/restart.ts';
import { fileSet } from '../files/output.ts';
import { KeptFiles } from '../files/keep-files.ts';
import type { Svid } from '../identity/accept.ts';
import { IdentityKeeper, type KeeperEvent } from '../identity/keeper.ts';
import { parseToken } from '../identity/token.ts';
import { certificateSecret, rootsSecret, TRUST_ROOTS, WORKLOAD_CERTIFICATE } from '../secret/secret.ts';
import { SecretStore } from '../secret/store.ts';
import { type SdsServer, type SdsServerOptions, startApiServer, startSdsServer } from '../server/server.ts';
import type { Notice } from '../subscription/notice.ts';
import { targetOf, type WorkloadConfig } from './config.ts';
import { EnvoyRecord } from './envoy-record.ts';
import { commandOf, type RunningEnvoy, startEnvoy } from './run-envoy.ts';
import {
  apiSocketOf,
  closedFolder,
  handOver,
  prepareApiDirectory,
  prepareDirectory,
  rollLog,
  type WorkloadPaths,
  workloadPaths,
  writePrivate,
} from './run-directory.ts';
import { keeperPart, type WorkloadStatus } from './status.ts';
import type { Surroundings } from './surroundings.ts';
import { readText } from './watch-file.ts';
import { WorkloadApis } from './workload-apis.ts';

const CALL_TIMEOUT_MS = 10_000;
/** How long the end of a workload waits for its access log to be taken. */
const LOG_PATIENCE_MS = 2_000;

/**
 * One workload: its certificate, its SDS socket, its Envoy. The certificate is asked for at once; the files are
 * prepared beside it, again and again until that works, since a full disk must not cost the identity.
 */
export class RunningWorkload {
  readonly config: WorkloadConfig;
  readonly paths: WorkloadPaths;
  readonly #around: Surroundings;
  readonly #log: Logger;
  readonly #store: SecretStore;
  readonly #apis: WorkloadApis;
  readonly #keeper: IdentityKeeper;
  readonly #accessLog: WorkloadLog;
  readonly #files: KeptFiles | undefined;
  /** The version of each secret that the open streams accepted last. */
  readonly #accepted = new Map<string, Map<object, string>>();
  #filesWritten = false;
  #server: SdsServer | undefined;
  #apiServer: SdsServer | undefined;
  #mountedServer: SdsServer | undefined;
  #envoy: RunningEnvoy | undefined;
  #stopping = false;
  #failures = 0;
  #cancelRetry: () => void = () => {};
  #setUp: Promise<void> = Promise.resolve();

  constructor(config: WorkloadConfig, around: Surroundings) {
    this.config = config;
    this.paths = workloadPaths(config.runDir, config.node.namespace, config.node.pod);
    this.#around = around;
    this.#log = around.log.child({ workload: config.name });
    this.#apis = new WorkloadApis(config, around, this.#log);
    this.#store = new SecretStore([WORKLOAD_CERTIFICATE, TRUST_ROOTS], this.#apis.sources);
    this.#keeper = new IdentityKeeper({
      id: config.id,
      dnsNames: config.dnsNames,
      ttlSeconds: config.ttlSeconds,
      sign:
        around.sign ??
        grpcSigner({ target: targetOf(config.authority), serverName: config.authority.serverName, timeoutMs: CALL_TIMEOUT_MS }),
      readToken: async () => {
        const content = await (around.readToken ?? readText)(config.tokenFile);
        return content.ok ? parseToken(content.text) : content;
      },
      bundle: around.bundle,
      onRoots: around.onRoots,
      clock: around.clock,
      timers: around.timers,
      random: around.random,
      onEvent: (event) => this.#onKeeper(event),
      turns: around.turns,
      onReturn: (task) => around.reachability(config.authority).onReturn(task),
    });
    this.#accessLog = new WorkloadLog({
      address: { target: targetOf(config.authority), serverName: config.authority.serverName, timeoutMs: CALL_TIMEOUT_MS },
      rootsPem: () => around.bundle()?.pem,
      svid: () => this.#keeper.current(),
      ...around.logs,
      folder: this.paths.accessLogs,
      now: () => around.clock.now().getTime(),
      timers: around.timers,
      random: around.random,
      log: this.#log,
    });
    this.#files = config.files && new KeptFiles(config.files, this.#filesAround());
  }

  start(): void {
    this.#putRoots();
    this.#keeper.start();
    this.#setUp = this.#prepare();
  }

  /** To be called when the agent's roots changed. */
  bundleChanged(): void {
    this.#putRoots();
    this.#keeper.bundleChanged();
    this.#putFiles();
  }

  /** To be called when the certificate in hand was revoked. */
  revoked(): void {
    this.#keeper.revoked();
  }

  /** The certificate in hand. */
  svid(): Svid | undefined {
    return this.#keeper.current();
  }

  clockJumped(): void {
    this.#keeper.clockJumped();
  }

  status(now: number): WorkloadStatus {
    const { files, name, id } = this.config;
    return {
      workload: name,
      identity: id,
      ...keeperPart(this.#keeper.status(), now),
      acknowledged: { certificate: this.#isAccepted(WORKLOAD_CERTIFICATE), roots: this.#isAccepted(TRUST_ROOTS) },
      sdsSocket: this.paths.sdsSocket,
      accessLog: this.#accessLog.stats,
      files: files === undefined ? null : { dir: files.dir, written: this.#filesWritten },
    };
  }

  #isAccepted(name: string): boolean | null {
    const accepted = [...(this.#accepted.get(name)?.values() ?? [])];
    const found = this.#store.lookup(name);
    if (accepted.length === 0) return null;
    return found.kind === 'present' && accepted.every((version) => version === found.secret.version);
  }

  #onAccepted(name: string, version: string | undefined, stream: object): void {
    const streams = this.#accepted.get(name) ?? new Map<object, string>();
    this.#accepted.set(name, streams);
    if (version === undefined) streams.delete(stream);
    else streams.set(stream, version);
  }

  #putFiles(): void {
    const [svid, bundle] = [this.#keeper.current(), this.#around.bundle()];
    if (this.#files === undefined || svid === undefined || bundle === undefined) return;
    this.#filesWritten = false;
    this.#files.put(fileSet(svid, bundle.pem));
  }

  #filesAround(): ConstructorParameters<typeof KeptFiles>[1] {
    const { timers, random, emit } = this.#around;
    const workload = this.config.name;
    return {
      timers,
      random,
      onWritten: () => {
        this.#filesWritten = true;
        emit({ event: 'written', workload, dir: this.config.files?.dir ?? '' });
      },
      onFailed: (reason, retryMs) => emit({ event: 'failed', workload, code: 'FILES', reason, retryMs }),
    };
  }

  /** Drains and ends Envoy, then the rest. The certificate is served until Envoy is gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#cancelRetry();
    await this.#setUp;
    await this.#envoy?.stop();
    await this.#accessLog.stop(LOG_PATIENCE_MS);
    await this.#keeper.stop();
    await this.#files?.close();
    await this.#server?.close();
    await this.#apiServer?.close();
    await this.#mountedServer?.close();
    this.#apis.stop();
    await rm(this.paths.adminSocket, { force: true });
    await rm(this.paths.apiDirectory, { force: true, recursive: true });
    this.#around.emit({ event: 'stopped', workload: this.config.name });
  }

  #putRoots(): void {
    const bundle = this.#around.bundle();
    if (bundle === undefined) return;
    this.#store.put(rootsSecret(bundle));
    this.#apis.identity.putBundle(bundle);
  }

  /** Folder, socket, bootstrap, Envoy, in this order. Never rejects: tries again later instead. */
  async #prepare(): Promise<void> {
    const { emit, random, timers } = this.#around;
    try {
      const text = this.#bootstrapText();
      const { adopting, launch } = this.#launcher(text);
      if (!adopting && (await endLeftover(this.paths.adminSocket)))
        this.#log.warn('ended an Envoy that an earlier agent had left behind');
      await this.#prepareFiles(text);
      this.#failures = 0;
      if (!this.#stopping) launch();
    } catch (error) {
      if (this.#stopping) return;
      this.#failures += 1;
      const retryMs = restartDelay(this.#failures, random);
      const reason = error instanceof Error ? error.message : String(error);
      emit({ event: 'failed', workload: this.config.name, code: 'SETUP', reason, retryMs });
      this.#cancelRetry = timers.after(retryMs, () => {
        this.#setUp = this.#prepare();
      });
    }
  }

  async #prepareFiles(bootstrapText: string): Promise<void> {
    const { paths, config } = this;
    const owner = config.envoy?.owner;
    await prepareDirectory(paths.directory);
    if (owner !== undefined) {
      const closed = await closedFolder(config.runDir, owner);
      if (closed !== undefined)
        throw new Error(`${closed} is closed to uid ${owner.uid}, as whom Envoy is to run (choose another runDir)`);
    }
    await this.#server?.close();
    this.#server = await this.#serveSds({ socketPath: paths.sdsSocket, owner });
    await this.#serveApi();
    await this.#mountedServer?.close();
    const { mountedSocket } = config;
    this.#mountedServer =
      mountedSocket === undefined ? undefined : await this.#serveSds({ socketPath: mountedSocket, anyone: true });
    await writePrivate(paths.bootstrap, bootstrapText, owner);
    await rollLog(paths.log, owner);
    await handOver(paths.directory, owner);
  }

  #serveSds(where: Pick<SdsServerOptions, 'socketPath' | 'owner' | 'anyone'>): Promise<SdsServer> {
    return startSdsServer({
      ...where,
      store: this.#store,
      onNotice: (notice) => this.#onNotice(notice),
      addTo: (server) => {
        this.#apis.addTo(server);
        this.#accessLog.addTo(server);
      },
      onAccepted: (name, version, stream) => this.#onAccepted(name, version, stream),
    });
  }

  /** The Workload API for the application, where it is another user than Envoy. */
  async #serveApi(): Promise<void> {
    const { workloadApi, runDir } = this.config;
    await this.#apiServer?.close();
    this.#apiServer = undefined;
    if (workloadApi === undefined) return;
    const closed = await closedFolder(runDir, workloadApi);
    if (closed !== undefined)
      throw new Error(`${closed} is closed to uid ${workloadApi.uid}, who is to have the Workload API (choose another runDir)`);
    await prepareApiDirectory(this.paths.apiDirectory);
    this.#apiServer = await startApiServer(this.paths.apiSocket, workloadApi, (server) => this.#apis.addTo(server));
  }

  #bootstrapText(): string {
    const { node, controlPlane, xds, adminPort } = this.config;
    const { sdsSocket, adminSocket } = this.paths;
    return `${JSON.stringify(bootstrapJson({ node, controlPlane, xds, adminPort, sdsSocket, adminSocket }), null, 2)}\n`;
  }

  /** What is to be done once the files are there. Decided before, since a leftover Envoy may use them already. */
  #launcher(bootstrapText: string): { readonly adopting: boolean; readonly launch: () => void } {
    const { config, paths } = this;
    const { envoy } = config;
    if (envoy === undefined) {
      const apiSocket = apiSocketOf(config, paths);
      const launch = () => this.#around.emit({ event: 'ready', workload: config.name, sdsSocket: paths.sdsSocket, apiSocket });
      return { adopting: false, launch };
    }
    const command = commandOf(envoy, paths);
    const record = new EnvoyRecord(paths.directory, command, bootstrapText);
    // How a process that is no child of ours ended cannot be told, so that a given command is always started.
    const adopt = envoy.given === undefined ? record.leftover() : undefined;
    const launch = () => {
      this.#envoy = startEnvoy({ config, envoy, command, paths, record, adopt }, this.#around);
    };
    return { adopting: adopt !== undefined, launch };
  }

  #onKeeper(event: KeeperEvent): void {
    const { emit } = this.#around;
    const workload = this.config.name;
    switch (event.kind) {
      case 'issued': {
        this.#store.put(certificateSecret(event.svid));
        this.#apis.identity.issued(event.svid);
        this.#putFiles();
        const notAfter = new Date(event.svid.notAfter).toISOString();
        emit({ event: event.previous === undefined ? 'issued' : 'rotated', workload, serial: event.svid.serial, notAfter });
        return;
      }
      case 'failed':
        this.#apis.identity.failed(event.code, event.reason);
        emit({ event: 'failed', workload, code: event.code, reason: event.reason, retryMs: event.retryMs });
        return;
      case 'expired':
        emit({ event: 'expired', workload, serial: event.svid.serial, notAfter: new Date(event.svid.notAfter).toISOString() });
        return;
      default:
        event satisfies never;
    }
  }

  #onNotice(notice: Notice): void {
    switch (notice.kind) {
      case 'nack':
        this.#log.error({ reason: notice.reason }, 'Envoy refused a secret');
        return;
      case 'unknown':
        this.#log.warn({ names: notice.names }, 'secrets were asked for that this agent does not have');
        return;
      case 'ack':
      case 'stale':
        this.#log.debug(notice, 'SDS');
        return;
      default:
        notice satisfies never;
    }
  }
}
