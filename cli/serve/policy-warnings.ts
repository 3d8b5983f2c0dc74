import { performance } from 'node:perf_hooks';
import { withoutScheme } from '../../ca/identity/spiffe-id.ts';
import { observedCalls } from '../../audit/observed/calls.ts';
import { lengthText } from '../../audit/report/about.ts';
import type { StoreQuestions } from '../../audit/store/sqlite-read.ts';
import type { AdmissionRequest } from '../../kubernetes/webhook/review.ts';
import { admitDocument } from '../../mesh/admit/admit.ts';
import type { MeshObject } from '../../mesh/admit/mesh-object.ts';
import { nodeOf } from '../../mesh/admit/node.ts';
import type { Meta } from '../../mesh/model/object.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { ObservedCall } from '../../policy/observed/call.ts';
import { type Replayed, type JudgementOf, replay } from '../../policy/replay/replay.ts';
import { destinationsIn } from '../policy/destinations.ts';

const KINDS = Object.freeze(['AuthorizationPolicy', 'PeerAuthentication', 'RequestAuthentication'] as const);
type PolicyKind = (typeof KINDS)[number];

/** Nobody waits longer for a warning. */
const LIMIT_MS = 500;
/** A namespace whose records took too long is not asked about for so long: reading them holds up everything else. */
const REST_MS = 10 * 60_000;
const WINDOW_MS = 7 * 24 * 3_600_000;
const MOST_CALLS = 20_000;
/** kubectl shows a warning of one line, and the API server cuts what is longer than 256 characters. */
const LONGEST = 245;

/** Of how many changes it was said what they deny, and of how many not. */
export interface PolicyWarningCounts {
  answered: number;
  late: number;
  failed: number;
}

class Late extends Error {}

/** The mesh with one object changed, or without it; undefined: the change is none of policies, or cannot be read. */
function changedBy(
  snapshot: Snapshot,
  request: AdmissionRequest,
): { readonly after: Snapshot; readonly dryRun: boolean } | undefined {
  const kind = KINDS.find((one) => one === request.kind.kind);
  if (kind === undefined || request.kind.group !== 'security.istio.io') return undefined;
  const { namespace, name } = request;
  if (request.operation === 'DELETE') return { after: replaced(snapshot, kind, { namespace, name }, undefined), dryRun: false };
  if (request.object === undefined || request.operation === 'CONNECT') return undefined;
  const { admitted } = admitDocument(
    { file: '', offset: 0, node: nodeOf(request.object, 1) },
    { meshConfig: snapshot.meshConfig, defaultNamespace: namespace || 'default' },
  );
  const object = admitted[0]?.object;
  if (object === undefined || object.kind !== kind) return undefined;
  const dryRun = object.kind === 'AuthorizationPolicy' && object.value.dryRun;
  const enforced: MeshObject =
    object.kind === 'AuthorizationPolicy' && dryRun ? { kind: object.kind, value: { ...object.value, dryRun: false } } : object;
  return { after: replaced(snapshot, kind, object.value.meta, enforced), dryRun };
}

type Named = Pick<Meta, 'namespace' | 'name'>;

function replaced(snapshot: Snapshot, kind: PolicyKind, { namespace, name }: Named, object: MeshObject | undefined): Snapshot {
  const others = <T extends { readonly meta: Named }>(list: readonly T[]): readonly T[] =>
    list.filter(({ meta }) => meta.namespace !== namespace || meta.name !== name);
  switch (kind) {
    case 'AuthorizationPolicy':
      return {
        ...snapshot,
        authorizationPolicies: [
          ...others(snapshot.authorizationPolicies),
          ...(object?.kind === 'AuthorizationPolicy' ? [object.value] : []),
        ],
      };
    case 'PeerAuthentication':
      return {
        ...snapshot,
        peerAuthentications: [
          ...others(snapshot.peerAuthentications),
          ...(object?.kind === 'PeerAuthentication' ? [object.value] : []),
        ],
      };
    case 'RequestAuthentication':
      return {
        ...snapshot,
        requestAuthentications: [
          ...others(snapshot.requestAuthentications),
          ...(object?.kind === 'RequestAuthentication' ? [object.value] : []),
        ],
      };
    default:
      return kind satisfies never;
  }
}

function edgeText({ call }: Replayed, now: number): string {
  const from =
    call.caller ?? (call.principal === undefined ? undefined : withoutScheme(call.principal)) ?? call.address ?? 'somebody';
  const what = call.protocol === 'TCP' ? 'TCP' : `${call.method ?? ''} ${call.path ?? ''}`;
  const ago = lengthText(Math.max(0, now - call.lastSeen))
    .split(' ')
    .slice(0, 2)
    .join(' ');
  return `${from} -> ${call.destination} ${what} (${call.count.toLocaleString('en-US')} ${call.count === 1 ? 'call' : 'calls'}, last ${ago} ago)`;
}

/** What a change breaks, in one line; undefined: nothing that was seen. */
function warningText(broken: readonly Replayed<JudgementOf<'not-granted'>>[], dryRun: boolean, now: number): string | undefined {
  if (broken.length === 0) return undefined;
  const head = `${dryRun ? 'enforced, this would deny' : 'this denies'} ${broken.length} observed ${broken.length === 1 ? 'edge' : 'edges'}: `;
  let text = head;
  for (const [at, one] of broken.entries()) {
    const edge = `${at === 0 ? '' : ', '}${edgeText(one, now)}`;
    const rest = at + 1 < broken.length ? ', ...' : '';
    if (at > 0 && text.length + edge.length + rest.length > LONGEST) return `${text}, ...`;
    text += edge;
  }
  return text;
}

/** Tells who changes policies through the API server which calls that were seen they would deny. Never refuses, never makes anybody wait. */
export class PolicyWarnings {
  readonly counts: PolicyWarningCounts = { answered: 0, late: 0, failed: 0 };
  readonly #snapshot: () => Snapshot;
  readonly #store: Pick<StoreQuestions, 'query'>;
  readonly #clock: () => Date;
  readonly #resting = new Map<string, number>();

  constructor(around: {
    readonly snapshot: () => Snapshot;
    readonly store: Pick<StoreQuestions, 'query'>;
    readonly clock: () => Date;
  }) {
    this.#snapshot = around.snapshot;
    this.#store = around.store;
    this.#clock = around.clock;
  }

  async of(request: AdmissionRequest): Promise<readonly string[]> {
    const before = this.#snapshot();
    const started = performance.now();
    const now = this.#clock().getTime();
    try {
      const change = changedBy(before, request);
      if (change === undefined) return [];
      const { rootNamespace } = before.meshConfig;
      const filter = request.namespace === rootNamespace ? undefined : { to: { namespace: request.namespace } };
      if ((this.#resting.get(request.namespace) ?? 0) > now) throw new Late('its records took too long before');
      const timer = AbortSignal.timeout(LIMIT_MS);
      const given = new Promise<never>((_, reject) =>
        timer.addEventListener('abort', () => reject(new Late('asking took too long'))),
      );
      const { edges } = await Promise.race([this.#store.query({ since: now - WINDOW_MS, until: undefined, filter }), given]);
      if (performance.now() - started > LIMIT_MS || edges.length > MOST_CALLS) throw new Late('there are too many records');
      const destinations = destinationsIn(before);
      const calls = inTime(observedCalls(edges), started);
      const { broken } = replay(calls, { snapshot: change.after, destinations }, { snapshot: before, destinations });
      this.counts.answered += 1;
      const text = warningText(broken, change.dryRun, now);
      return text === undefined ? [] : [text];
    } catch (error) {
      if (error instanceof Late) {
        this.counts.late += 1;
        if (performance.now() - started > LIMIT_MS) this.#resting.set(request.namespace, now + REST_MS);
      } else this.counts.failed += 1;
      return [];
    }
  }
}

function* inTime(calls: readonly ObservedCall[], started: number): Generator<ObservedCall> {
  for (const [at, call] of calls.entries()) {
    if (at % 256 === 0 && performance.now() - started > LIMIT_MS) throw new Late('judging took too long');
    yield call;
  }
}
