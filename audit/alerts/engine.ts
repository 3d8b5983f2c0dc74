import { createHash } from 'node:crypto';
import type { Observer } from '../intake/sink.ts';
import { Cardinality } from '../intake/cardinality.ts';
import { countsAsEdge } from '../intake/counts-as-edge.ts';
import { type AccessRecord, isDenied } from '../model/record.ts';
import type { Alert, Found, Named, Rollback } from './alert.ts';
import type { AlertRules } from './rules.ts';
import { SpikeDetector } from './spike.ts';

/** What outlives a restart. */
export interface AlertState {
  /** When alerts were first looked for. Looked up for each record: others may have begun before. */
  readonly since: number;
  /** When each key was last told, or taken for known. */
  readonly told: ReadonlyMap<string, number>;
}

/** Something that was new, with the alert that it makes: none where it was learnt, or too much at once. */
export interface Finding {
  readonly key: string;
  /** When it may be told again; infinity: never. */
  readonly againMs: number;
  readonly alert: Alert | undefined;
}

export interface EngineOptions {
  readonly rules: AlertRules;
  readonly state: AlertState;
  readonly clock: () => Date;
  /** Why plain text to this workload is not wanted; undefined where it is. */
  readonly strict: (workload: string) => string | undefined;
  /**
   * Keeps what was told and what is to be sent, in one step; called once for each batch of records that had something new. `findings`: all of it,
   * for those who agree with others on who tells.
   */
  readonly keep: (told: ReadonlyMap<string, number>, alerts: readonly Alert[], findings: readonly Finding[]) => void;
  /** Keys that are remembered; what comes beyond is not told, as nobody could say whether it is new. */
  readonly mostKeys?: number;
  /** Alerts in one minute. */
  readonly mostPerMinute?: number;
}

export interface EngineStats {
  readonly found: Readonly<Record<Alert['kind'], number>>;
  readonly suppressed: number;
  readonly forgetful: boolean;
}

const MINUTE_MS = 60_000;

function namespaceOf(workload: string | undefined): string | undefined {
  return workload?.split('/', 1)[0];
}

/** Callers without an identity are one, unless they have a proxy: addresses come and go, and anybody has one. */
function callerOf({ source }: AccessRecord): string {
  return source.workload ?? source.principal ?? 'unauthenticated';
}

function sourceOf({ source }: AccessRecord): Named {
  return { principal: source.principal ?? null, workload: source.workload ?? null };
}

function destinationOf({ destination, service, port }: AccessRecord): Named {
  return {
    principal: destination.principal ?? null,
    workload: destination.workload ?? null,
    service: service ?? null,
    port: port ?? null,
  };
}

const words = (named: Named): string =>
  named.workload ??
  named.principal ??
  (named.service === undefined ? 'a caller without an identity' : (named.service ?? 'an unknown host'));

/**
 * Looks at each record for what people want to be told of once: pure but for the clock and for `keep`, which it owns the calls of. Each key is
 * told once, and again only where its rule says so.
 */
export class AlertEngine implements Observer {
  readonly #options: Required<EngineOptions>;
  readonly #told: Map<string, number>;
  readonly #hosts = new Cardinality({ perScope: 200, scopes: 10_000 });
  readonly #spikes: SpikeDetector | undefined;
  readonly #found = { 'new-edge': 0, 'plain-text': 0, 'denial-spike': 0, 'rollout-rollback': 0 };
  #minute = { at: 0, alerts: 0 };
  #suppressed = 0;
  #untold = 0;
  #forgetful = false;

  constructor(options: EngineOptions) {
    this.#options = { mostKeys: 200_000, mostPerMinute: 60, ...options };
    this.#told = new Map(options.state.told);
    const { denialSpike } = options.rules;
    this.#spikes = denialSpike === undefined ? undefined : new SpikeDetector(denialSpike, options.clock().getTime());
  }

  get stats(): EngineStats {
    return { found: { ...this.#found }, suppressed: this.#suppressed, forgetful: this.#forgetful };
  }

  observe(records: readonly AccessRecord[]): void {
    const now = this.#options.clock().getTime();
    const told = new Map<string, number>();
    const findings: Finding[] = [];
    for (const record of records) {
      for (const { found, learnt } of [this.#newEdge(record, now), this.#plainText(record, now), this.#spike(record, now)]) {
        if (found === undefined) continue;
        this.#told.set(found.key, now);
        told.set(found.key, now);
        const alert = learnt ? undefined : this.#alert(found, now);
        findings.push({ key: found.key, againMs: this.#againMs(found.kind), alert });
      }
    }
    if (told.size > 0)
      this.#options.keep(
        told,
        findings.flatMap(({ alert }) => alert ?? []),
        findings,
      );
  }

  /** Each step is told once, also by whoever hears of it again after a restart. */
  rolledBack(rollback: Rollback): void {
    const now = this.#options.clock().getTime();
    const key = `rollback ${rollback.namespace} ${rollback.number} ${rollback.reason}`;
    if (this.#options.rules.rollback !== true || !this.#isNew(key, now, Number.POSITIVE_INFINITY)) return;
    const { namespace, from, to, reason } = rollback;
    const step = from === to ? `stays at ${to}, and policies of others became dry runs` : `was taken back from ${from} to ${to}`;
    const summary = `the rollout of ${namespace} ${step}: ${reason}`;
    this.#told.set(key, now);
    const alert = this.#alert({ kind: 'rollout-rollback', key, summary, ...rollback }, now);
    const finding = { key, againMs: this.#againMs('rollout-rollback'), alert };
    this.#options.keep(new Map([[key, now]]), alert === undefined ? [] : [alert], [finding]);
  }

  #againMs(kind: Alert['kind']): number {
    const { plainText, denialSpike } = this.#options.rules;
    switch (kind) {
      case 'plain-text':
        return plainText?.againMs ?? Number.POSITIVE_INFINITY;
      case 'denial-spike':
        return denialSpike?.againMs ?? Number.POSITIVE_INFINITY;
      case 'new-edge':
      case 'rollout-rollback':
        return Number.POSITIVE_INFINITY;
      default:
        return kind satisfies never;
    }
  }

  #alert(found: Found, now: number): Alert | undefined {
    this.#found[found.kind]++;
    const at = Math.floor(now / MINUTE_MS);
    if (this.#minute.at !== at) this.#minute = { at, alerts: 0 };
    if (++this.#minute.alerts > this.#options.mostPerMinute) {
      this.#suppressed++;
      this.#untold++;
      return undefined;
    }
    const { key, ...rest } = found;
    // Of what is told again, each telling is another happening.
    const once = found.kind === 'new-edge' || found.kind === 'rollout-rollback' ? key : `${key} ${at}`;
    const id = createHash('sha256').update(once).digest('hex').slice(0, 32);
    const suppressed = this.#untold;
    this.#untold = 0;
    return { id, at: new Date(now).toISOString(), suppressed, ...rest };
  }

  /** True where a key is new, or was told too long ago; false also where there is no more room to remember it. */
  #isNew(key: string, now: number, againMs: number): boolean {
    const before = this.#told.get(key);
    if (before !== undefined) return now - before >= againMs;
    if (this.#told.size < this.#options.mostKeys) return true;
    this.#forgetful = true;
    return false;
  }

  #newEdge(record: AccessRecord, now: number): { readonly found?: Found; readonly learnt: boolean } {
    const rule = this.#options.rules.newEdge;
    const learnt = rule !== undefined && now < this.#options.state.since + rule.learnMs;
    if (rule === undefined || !countsAsEdge(record) || !record.reached) return { learnt };
    const source = sourceOf(record);
    const { workload } = record.destination;
    const host = workload ?? this.#hosts.bound(callerOf(record), record.service ?? '');
    const namespace = namespaceOf(workload);
    if (rule.namespaces !== undefined && (namespace === undefined || !rule.namespaces.includes(namespace))) return { learnt };
    const caller = `${record.source.principal ?? ''} ${record.source.principal === undefined ? callerOf(record) : (source.workload ?? '')}`;
    const key = `edge ${caller} ${host}`;
    if (!this.#isNew(key, now, Number.POSITIVE_INFINITY)) return { learnt };
    const destination =
      workload === undefined ? { ...destinationOf(record), service: host === '' ? null : host } : destinationOf(record);
    const verdict = record.verdict.kind;
    const denied = isDenied(record.verdict) ? ', and was denied' : '';
    return {
      learnt,
      found: {
        kind: 'new-edge',
        key,
        summary: `${words(source)} called ${words(destination)} for the first time${denied}`,
        source,
        destination,
        mtls: record.mtls,
        verdict,
      },
    };
  }

  #plainText(record: AccessRecord, now: number): { readonly found?: Found; readonly learnt: boolean } {
    const rule = this.#options.rules.plainText;
    const { workload } = record.destination;
    // What comes to a gateway from outside has its own rules: its Gateway says how.
    if (rule === undefined || record.hop !== 'in' || record.side === 'gateway' || record.mtls || workload === undefined)
      return { learnt: false };
    const listed = rule.namespaces.includes(namespaceOf(workload) ?? '') ? 'the alert rules name its namespace' : undefined;
    const because = listed ?? this.#options.strict(workload);
    const key = `plain ${callerOf(record)} ${workload}`;
    if (because === undefined || !this.#isNew(key, now, rule.againMs)) return { learnt: false };
    const source = { ...sourceOf(record), address: record.source.address ?? null };
    const from = source.workload ?? source.address ?? 'somebody';
    const verdict = record.verdict.kind;
    return {
      learnt: false,
      found: {
        kind: 'plain-text',
        key,
        summary: `${from} spoke plain text to ${workload}, which is to be strict: ${because}${isDenied(record.verdict) ? ' (refused)' : ''}`,
        source,
        destination: destinationOf(record),
        because,
        verdict,
      },
    };
  }

  #spike(record: AccessRecord, now: number): { readonly found?: Found; readonly learnt: boolean } {
    const rule = this.#options.rules.denialSpike;
    const { workload } = record.destination;
    if (rule === undefined || record.hop !== 'in' || workload === undefined || !isDenied(record.verdict))
      return { learnt: false };
    const spike = this.#spikes?.denied(workload, callerOf(record), now);
    if (spike === undefined) return { learnt: false };
    const windowSeconds = rule.windowMs / 1000;
    const key = `spike ${workload}`;
    if (!this.#isNew(key, now, rule.againMs)) return { learnt: false };
    return {
      learnt: false,
      found: {
        kind: 'denial-spike',
        key,
        summary: `${workload} denied ${spike.denied} calls within ${windowSeconds} s; usual are ${Math.round(spike.usual * 10) / 10}`,
        destination: { principal: record.destination.principal ?? null, workload },
        denied: spike.denied,
        usual: spike.usual,
        windowSeconds,
        callers: spike.callers,
      },
    };
  }
}
