import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { startEnvoy } from '../../audit/envoy/process.ts';
import { type Caller, isInDoubt, type People } from './callers.ts';
import { startAuthorizers } from './authorizers.ts';
import { bootstrapOf, NOTED } from './envoy-config.ts';
import { asked, expectedClosed, expectedOf, expectedWithBadToken, isPreflight, type Result } from './expected.ts';
import { type World, worlds } from './policies.ts';
import { echoes, type Response, sendAll, type Target } from './raw-client.ts';
import { requests, type Sent } from './requests.ts';
import type { Tokens } from './tokens.ts';
import { DUAL_STACK, type Place, placeOf } from './world.ts';

export interface RoundOptions {
  readonly envoy: string;
  readonly folder: string;
  readonly people: People;
  /** Loopback addresses that no other process uses: `NET.1` and on. */
  readonly net: string;
  readonly seed: number;
  readonly worlds: number;
  /** Requests of each caller to each world. */
  readonly requests: number;
  /** From which worlds are drawn, if not of all kinds. */
  readonly draw?: fc.Arbitrary<World>;
}

/** One call that evaluate and Envoy answer differently. */
export interface Difference {
  readonly want: Result;
  readonly got: Result;
  readonly caller: object;
  readonly sent: Sent | 'TCP';
  readonly world: World;
}

export interface Counts {
  /** Requests and connections on which the two were compared. */
  decisions: number;
  allowed: number;
  denied: number;
  /** Calls that TLS or the proxy itself ended before any policy. */
  before: number;
  /** Those in which dry runs or AUDIT noted something. */
  notes: number;
}

export interface Round {
  readonly counts: Readonly<Counts>;
  readonly differences: readonly Difference[];
}

const AT_ONCE = 4;

function named(text: string): string {
  const unasked = /^istio-ext-authz-.*-(ns\[.*\])-deny-due-to-bad-CUSTOM-action$/.exec(text)?.[1];
  if (unasked !== undefined) return unasked;
  return text === 'none' || text === 'gatehouse-peer-identity' || text === '-' ? '' : text;
}

function shadow(text: string | undefined): string {
  const [result = '-', rule = '-'] = (text ?? '').split(' ');
  return result === '-' || result === '' ? '' : `${result} ${named(rule)}`.trimEnd();
}

const NO_NOTES = Object.freeze(['', '', ''] as const);
const CLOSED: Result = Object.freeze({ decision: 'CLOSED', rule: '', notes: NO_NOTES });

/** Of filters that are no RBAC: tokens and authorizers. */
const REFUSALS: readonly RegExp[] = [/^40[13] jwt_authn_access_denied/, /^40[13] ext_authz_(denied|error)/];

/** What Envoy did, from its answer. */
export function resultOf(response: Response): Result {
  if (response.kind === 'closed') return CLOSED;
  const { status, headers } = response;
  const details = headers.get(NOTED.details) ?? '';
  const notes = [
    shadow(headers.get(NOTED.shadowDeny)),
    shadow(headers.get(NOTED.shadowAllow)),
    named(headers.get(NOTED.audit) ?? '-'),
  ] as const;
  const by = /^rbac_access_denied_matched_policy\[(.*)\]$/.exec(details)?.[1];
  if (status === 403 && by !== undefined) return { decision: 'DENY', rule: named(by), notes };
  if (REFUSALS.some((refusal) => refusal.test(`${status} ${details}`))) return { decision: 'DENY', rule: '', notes };
  // Policy let it pass; no route takes a path without a slash.
  if (status === 200 || details === 'route_not_found')
    return { decision: 'ALLOW', rule: named(headers.get(NOTED.rule) ?? '-'), notes };
  return { decision: 'REFUSED', rule: `${status} ${details}`, notes: NO_NOTES };
}

function same(one: Result, other: Result): boolean {
  return (
    one.decision === other.decision && one.rule === other.rule && one.notes.every((note, index) => note === other.notes[index])
  );
}

async function echoServer(): Promise<Server> {
  const server = createServer((socket: Socket) => {
    socket.on('error', () => socket.destroy());
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('a server on a TCP port has one');
  return address.port;
}

/** From below those that the system gives to clients, which could take them before Envoy does. */
const LOWEST = 12_000;
const PORTS = 18_000;

/** Two ports that are free now, on every address; which, differs from process to process and from index to index. */
async function freePorts(index: number): Promise<Place['ports']> {
  const free: number[] = [];
  for (let port = (process.pid * 331 + index * 17) % PORTS; free.length < 2; port = (port + 1) % PORTS) {
    const server = createServer();
    const bound = once(server.listen(LOWEST + port, DUAL_STACK), 'listening').then(() => true);
    if (!(await bound.catch(() => false))) continue;
    free.push(LOWEST + port);
    await once(server.close(), 'close');
  }
  const [http = 0, tcp = 0] = free;
  return { http, tcp };
}

/** Where a caller connects to, and as whom the two ends know each other. */
function waysTo(place: Place, caller: Caller, index: number): Omit<Target, 'port'> {
  if (place.address !== DUAL_STACK) return { host: place.address, from: caller.address };
  return index % 2 === 0 ? { host: '::1', from: '::1' } : { host: '127.0.0.1', from: caller.address };
}

class Comparison {
  readonly counts: Counts = { decisions: 0, allowed: 0, denied: 0, before: 0, notes: 0 };
  readonly differences: Difference[] = [];
  readonly #place: Place;
  readonly #tokens: Tokens;
  readonly #caller: Caller;
  readonly #way: Omit<Target, 'port'>;

  constructor(place: Place, caller: Caller, index: number, tokens: Tokens) {
    this.#tokens = tokens;
    this.#place = place;
    this.#caller = caller;
    this.#way = waysTo(place, caller, index);
  }

  #compare(want: Result, got: Result, sent: Sent | 'TCP'): void {
    const { counts } = this;
    counts.decisions += 1;
    if (want.decision === 'ALLOW') counts.allowed += 1;
    else if (want.decision === 'DENY') counts.denied += 1;
    else counts.before += 1;
    if (want.notes.some((text) => text !== '')) counts.notes += 1;
    // What a dry run says of a peer whose identity is in doubt is left open: the guard is not part of dry runs.
    const notes = isInDoubt(this.#caller) ? want.notes : got.notes;
    if (same(want, { ...got, notes })) return;
    const { kind, names, serverName } = this.#caller;
    this.differences.push({ want, got, caller: { kind, names, serverName, ...this.#way }, sent, world: this.#place.world });
  }

  #expected(sent: Sent | undefined): Result {
    const { host, from } = this.#way;
    const known = sent?.token === undefined ? undefined : this.#tokens.all[sent.token];
    // Where nobody looks at tokens, evaluate would believe one that it is given; Envoy sees a header like any other.
    const looked = this.#place.snapshot.requestAuthentications.length > 0;
    const question = asked(this.#place, this.#caller, from, host, sent, looked ? known?.token : undefined);
    return known !== undefined && known.token === undefined && !isPreflight(sent)
      ? expectedWithBadToken(this.#place, question)
      : expectedOf(this.#place, question);
  }

  /** The request as it goes over the wire, with its token. */
  #written(sent: Sent): Sent {
    const text = sent.token === undefined ? undefined : this.#tokens.all[sent.token]?.text;
    return text === undefined ? sent : { ...sent, headers: [...sent.headers, ['authorization', `Bearer ${text}`]] };
  }

  async http(all: readonly Sent[]): Promise<void> {
    const closed = expectedClosed(this.#place, this.#caller);
    const tried = (closed ? all.slice(0, 1) : all).map((sent) => this.#written(sent));
    const answers = await sendAll(this.#caller, { ...this.#way, port: this.#place.ports.http }, tried);
    for (const [index, sent] of tried.entries()) {
      const want: Result = closed ? CLOSED : this.#expected(sent);
      this.#compare(want, resultOf(answers[index] ?? { kind: 'closed' }), sent);
    }
  }

  async tcp(): Promise<void> {
    const closed = expectedClosed(this.#place, this.#caller);
    const decision = closed ? 'DENY' : this.#expected(undefined).decision;
    const got = (await echoes(this.#caller, { ...this.#way, port: this.#place.ports.tcp })) ? 'ALLOW' : 'DENY';
    this.#compare({ decision, rule: '', notes: NO_NOTES }, { decision: got, rule: '', notes: NO_NOTES }, 'TCP');
  }
}

/** Worlds, and in each of them every caller's requests and connection, through evaluate and through a real Envoy. */
export async function round(options: RoundOptions): Promise<Round> {
  const { seed, people, folder } = options;
  const drawn = fc.sample(options.draw ?? worlds, { seed, numRuns: options.worlds });
  const { keys } = people.tokens;
  const places: Place[] = [];
  for (const [index, world] of drawn.entries()) {
    places.push(
      world.dualStack
        ? placeOf(world, DUAL_STACK, keys, await freePorts(index))
        : placeOf(world, `${options.net}.${index + 1}`, keys),
    );
  }
  const own = join(folder, `seed-${seed}`);
  mkdirSync(own, { recursive: true });
  const done: Comparison[] = [];
  const queue = places.entries();
  const work = async (): Promise<void> => {
    for (const [index, place] of queue) {
      const all = fc.sample(requests, { seed: seed * 1009 + index, numRuns: options.requests });
      const comparisons = people.callers.map((caller, index) => new Comparison(place, caller, index, people.tokens));
      done.push(...comparisons);
      await Promise.all(comparisons.map((one) => Promise.all([one.http(all), one.tcp()])));
    }
  };
  const echo = await echoServer();
  const authorizers = await startAuthorizers();
  try {
    const bootstrap = { node: { id: 'all', cluster: 'all' }, secrets: people.secrets, accessLog: { kind: 'none' as const } };
    const envoy = await startEnvoy(
      options.envoy,
      bootstrapOf(places, bootstrap, { echo: portOf(echo), authorizers: authorizers.ports }),
      own,
    );
    try {
      await Promise.all(Array.from({ length: AT_ONCE }, work));
    } finally {
      await envoy.stop();
    }
  } finally {
    echo.close();
    await authorizers.stop();
  }
  const counts: Counts = { decisions: 0, allowed: 0, denied: 0, before: 0, notes: 0 };
  for (const one of done) for (const key of Object.keys(counts) as (keyof Counts)[]) counts[key] += one.counts[key];
  return { counts, differences: done.flatMap((one) => one.differences) };
}
