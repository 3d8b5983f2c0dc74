import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { type Diagnostic, formatDiagnostic } from '../../mesh/model/diagnostic.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { watchMesh } from '../../mesh/source/watch.ts';
import { SettledFindings } from '../input/settled-findings.ts';
import { formatAddress, type ListenAddress } from '../options/address.ts';
import { Agent } from './agent.ts';
import { Applications } from './applications.ts';
import type { Capture } from './capture.ts';
import { ControlPlane, type ControlPlaneReady } from './control-plane.ts';
import { explicitCapture } from './explicit.ts';
import { allFree, freePort, isFree } from './free-port.ts';
import { LocalMesh } from './local-mesh.ts';
import { netnsCapture } from './netns/capture.ts';
import type { UpOptions } from './options.ts';
import type { Output } from './output.ts';
import { missing } from './readiness.ts';
import { type ReadyInput, readyEvent, readyText } from './ready-event.ts';
import { exampleRequests } from './requests.ts';
import { locationText } from '../../audit/store/location.ts';
import { claimRunDir, recordChildren, releaseRunDir, runDirAt, writeAtomically } from './run-dir.ts';
import { pageUrl } from './served.ts';
import { createTokenIssuer, TOKEN_REFRESH_MS } from './tokens.ts';

const LOCAL = '127.0.0.1';
const START_MS = 120_000;
/** An application that does not listen by then, or a listener that cannot be bound, does not hold up the others. */
const BEARABLE_MS = 20_000;
const TELL_MS = 5000;
const POLL_MS = 100;
/** Beyond this, Unix sockets below the run folder would not fit (sun_path has 108 bytes). */
const LONGEST_RUN_DIR = 40;

/** Something that has to be undone; undone in reverse order. */
type Undo = () => Promise<void> | void;

/**
 * Runs the mesh until `signal` is aborted, and takes everything down again, also when the start fails.
 * Returns the exit code: 0 when it ran and was told to stop, 1 when it could not start.
 */
export async function runUp(options: UpOptions, output: Output, signal: AbortSignal): Promise<0 | 1> {
  const undo: Undo[] = [];
  try {
    const outcome = await start(options, output, signal, undo);
    if (outcome !== undefined) {
      if (!signal.aborted) output.problem(outcome);
      return signal.aborted ? 0 : 1;
    }
    await aborted(signal);
    return 0;
  } catch (error) {
    if (signal.aborted) return 0;
    output.problem(error instanceof Error ? error.message : String(error));
    return 1;
  } finally {
    if (undo.length > 0) {
      output.step('stopping');
      for (const step of undo.reverse()) await step();
      output.step('stopped');
      output.event({ event: 'stopped' });
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Where `gatehouse serve` listens by itself, as istiod does; other ports where these are taken. */
const GRPC_PORT = 15_012;
const HTTP_PORT = 15_014;

/** Starts everything; gives the reason when that is not possible. */
async function start(options: UpOptions, output: Output, signal: AbortSignal, undo: Undo[]): Promise<string | undefined> {
  if (options.gatewayPort !== 0 && !(await isFree(LOCAL, options.gatewayPort)))
    return `port ${options.gatewayPort} of ${LOCAL} is in use (stop what uses it, or give another --gateway-port; 0 takes any free one)`;
  const dir = runDirAt(options.runDir);
  const busy = claimRunDir(dir);
  if (busy !== undefined) return busy;
  undo.push(() => releaseRunDir(dir));
  const made = options.capture === 'netns' ? await netnsCapture() : await explicitCapture();
  if (!made.ok) return made.reason;
  const { capture } = made;
  undo.push(() => capture.close());
  const agentDir = capture.agentDir ?? agentFolder(dir.root, undo);

  const addresses = [LOCAL, ...(capture.extraAddress === undefined ? [] : [capture.extraAddress])];
  // Who asks for any port of the gateway runs several meshes at once, perhaps started in the same moment.
  const alone = options.gatewayPort !== 0;
  const grpcPort = alone && (await allFree(addresses, GRPC_PORT)) ? GRPC_PORT : await freePort(addresses);
  const httpPort = alone && (await isFree(LOCAL, HTTP_PORT)) ? HTTP_PORT : await freePort([LOCAL], new Set([grpcPort]));
  const gatewayPort = options.gatewayPort === 0 ? await freePort([LOCAL], new Set([grpcPort, httpPort])) : options.gatewayPort;
  const spare = options.gatewayPort === 0 ? await sparePorts(new Set([grpcPort, httpPort, gatewayPort])) : [];

  const pageAddress = await fixedAddress(options.served.page?.address, new Set([grpcPort, httpPort, gatewayPort, ...spare]));

  const issuer = await createTokenIssuer(() => new Date());
  writeAtomically(dir.jwks, issuer.jwks);

  const tracked = new Map<string, number>();
  const record = () => recordChildren(dir, [...tracked.values(), ...applications.pids()]);
  const applications = new Applications(capture, dir.logs, output, () => record());
  const track = (name: string) => (pid: number) => {
    tracked.set(name, pid);
    record();
  };
  const agent = new Agent(dir, output, { onStart: track('agent') });
  const mesh = new LocalMesh({
    options,
    dir,
    agentDir,
    capture,
    applications,
    agent,
    issuer,
    output,
    gatewayPort,
    controlPlaneAddress: `${LOCAL}:${grpcPort}`,
    addressFromNetns: capture.extraAddress === undefined ? undefined : `${capture.extraAddress}:${grpcPort}`,
    freePort: options.gatewayPort === 0 ? (wanted) => spare.shift() ?? wanted : undefined,
  });

  // Changes are applied in turn; only the newest of those that wait counts.
  let serving = false;
  let newest: Snapshot | undefined;
  let applying = Promise.resolve();
  const follow = (snapshot: Snapshot) => {
    newest = snapshot;
    applying = applying
      .then(async () => {
        if (newest === undefined || signal.aborted) return;
        const next = newest;
        newest = undefined;
        await mesh.apply(next, serving);
      })
      .catch((error: unknown) => output.problem(error instanceof Error ? error.message : String(error)));
  };
  const tell = tellNew(output);
  let wrong: readonly Diagnostic[] = [];
  let together: SettledFindings | undefined;
  const report = (): void => tell([...wrong, ...(together?.current ?? [])]);
  const source = await watchMesh({
    paths: options.paths,
    meshConfigFile: options.meshConfigFile,
    log: pino({ level: 'silent' }),
    onSnapshot: (snapshot) => {
      follow(snapshot);
      together?.changed();
    },
    onDiagnostics: (found) => {
      wrong = found;
      report();
      together?.changed();
    },
  });
  undo.push(() => source.close());
  const settled = new SettledFindings(
    { snapshot: () => source.current(), written: () => source.written(), clock: () => new Date() },
    report,
  );
  together = settled;
  settled.changed();
  undo.push(() => settled.close());
  const first = source.current();
  output.step(`read ${options.paths.join(', ')}: ${first.workloads.length} workloads, ${first.services.length} services`);
  follow(first);
  await applying;
  undo.push(() => applications.stopAll());
  if (mesh.pods().every(({ kind }) => kind === 'router'))
    return `nothing to run in ${options.paths.join(', ')}: no Deployment whose image is known`;
  output.step(`${mesh.pods().length} pods placed (${describe(capture)}), applications started`);

  const plane = new ControlPlane(
    options,
    dir,
    { grpc: addresses.map((address) => `${address}:${grpcPort}`), http: `${LOCAL}:${httpPort}`, page: pageAddress },
    {
      onStart: track('control plane'),
      onReady: (ready) => output.event({ event: 'control-plane', pid: ready.pid, grpc: ready.grpc, http: ready.http }),
      onExit: (how) => output.problem(`the control plane ended with ${how}`),
    },
  );
  undo.push(() => plane.child.stop());
  plane.child.start();
  const ready = await Promise.race([plane.started, aborted(signal)]);
  if (ready === undefined) return 'stopped';
  output.step(`control plane on ${ready.grpc}, status on http://${ready.http}`);
  undo.push(() => agent.child.stop());
  agent.child.start();
  output.step('agent and proxies start');
  const tokens = setInterval(() => void mesh.refreshTokens().catch(() => {}), TOKEN_REFRESH_MS);
  undo.push(() => clearInterval(tokens));

  // A change that is being applied is finished before anything is taken down.
  undo.push(() => applying);
  undo.push(() => mesh.close());
  const late = await untilReady(mesh, ready, output, signal);
  if (late !== undefined) return late;
  serving = true;
  const about: ReadyInput = {
    gateway: `${LOCAL}:${gatewayPort}`,
    gatewayPorts: Object.fromEntries(mesh.gatewayPorts.map(({ port, bound }) => [String(port), `${LOCAL}:${bound}`])),
    deployedGateways: Object.fromEntries(
      [...mesh.deployedGateways].map(([gateway, ports]) => [
        gateway,
        Object.fromEntries(ports.map(({ port, bound }) => [String(port), `${LOCAL}:${bound}`])),
      ]),
    ),
    controlPlane: ready,
    pageUrl: ready.page === undefined ? undefined : pageUrl(options.served, ready.page),
    runDir: dir.root,
    auditDb: options.auditStore === undefined ? dir.auditDb : locationText(options.auditStore),
    examples: exampleRequests(source.current(), `${LOCAL}:${gatewayPort}`),
    pods: mesh.watched(),
  };
  output.step('ready');
  output.event(readyEvent(about));
  output.say(readyText(about));
  return undefined;
}

/** Prints each finding once. That a Gateway selects nothing, or has no pod, is no finding here: the gateway is added. */
function tellNew(output: Output): (found: readonly Diagnostic[]) => void {
  let known = new Set<string>();
  return (found) => {
    const relevant = found.filter(
      ({ code, severity, object }) =>
        severity !== 'info' &&
        !((code === 'selects-nothing' || code === 'not-programmed') && (object ?? '').startsWith('Gateway ')),
    );
    output.diagnostics(relevant.filter((diagnostic) => !known.has(formatDiagnostic(diagnostic))));
    known = new Set(relevant.map(formatDiagnostic));
  };
}

function describe({ placement }: Capture): string {
  return placement.kind === 'explicit'
    ? `127.${placement.block}.0.0/16`
    : `network namespaces on bridge gh${placement.number}, 10.${placement.subnet}.0.0/16`;
}

function agentFolder(root: string, undo: Undo[]): string {
  if (root.length <= LONGEST_RUN_DIR) return join(root, 'agent');
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-'));
  undo.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Ports for what Gateways name besides the first, where nothing may be assumed about which are free. */
async function sparePorts(except: ReadonlySet<number>): Promise<number[]> {
  const found = new Set(except);
  for (let count = 0; count < 16; count++) found.add(await freePort([LOCAL], found));
  return [...found].filter((port) => !except.has(port));
}

/** With a port that is the same after every restart of the control plane. */
async function fixedAddress(asked: ListenAddress | undefined, except: ReadonlySet<number>): Promise<string | undefined> {
  if (asked === undefined) return undefined;
  return formatAddress(asked.port === 0 ? { ...asked, port: await freePort([asked.host], except) } : asked);
}

/** Waits until the whole mesh serves; tells every few seconds what is missing. Gives the reason when it takes too long. */
async function untilReady(
  mesh: LocalMesh,
  { http }: ControlPlaneReady,
  output: Output,
  signal: AbortSignal,
): Promise<string | undefined> {
  const began = performance.now();
  let told = began;
  for (;;) {
    const lacking = await missing(mesh.watched(), http);
    if (signal.aborted) return 'stopped';
    const now = performance.now();
    const texts = lacking.map(({ text }) => text);
    if (lacking.every(({ bearable }) => bearable) && (lacking.length === 0 || now - began > BEARABLE_MS)) {
      for (const text of texts) output.problem(`${text}; the others run (its log is in logs/)`);
      return undefined;
    }
    if (now - began > START_MS) return `not ready after ${START_MS / 1000} s:\n  ${texts.join('\n  ')}`;
    if (now - told > TELL_MS) {
      told = now;
      output.step(`waiting for ${texts.slice(0, 4).join('; ')}${texts.length > 4 ? ` and ${texts.length - 4} more` : ''}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
