import type { Diagnostic, Severity } from '../../model/diagnostic.ts';
import { indexedBy } from '../../model/indexed-by.ts';
import { type Labels, selects } from '../../model/object.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import type { Workload } from '../../model/workload.ts';
import { lineAt } from '../node-path.ts';
import type { Written } from '../written.ts';
import type { Family, WrittenObjects } from '../written-objects.ts';

/** Labels of the gateways that Istio's own installation brings; they are rarely part of what is kept here. */
const INSTALLED: readonly Labels[] = Object.freeze([
  Object.freeze({ istio: 'ingressgateway' }),
  Object.freeze({ istio: 'egressgateway' }),
  Object.freeze({ istio: 'eastwestgateway' }),
  Object.freeze({ app: 'istio-ingressgateway' }),
]);

/** True for a selector that the gateways of a standard installation meet. */
export function isInstalledGateway(selector: Labels): boolean {
  const keys = Object.keys(selector);
  return keys.length === 1 && INSTALLED.some((labels) => keys.every((key) => labels[key] === selector[key]));
}

/** The lists and settings of a snapshot. */
export type Part = Exclude<keyof Snapshot, 'number'>;

/** Something that a check looked at: a list of what is written or was admitted, which is the same object while nothing in it changes. */
type Asked = `written ${Family} ${string}` | Part | 'now';

const carrying = indexedBy<Workload>((workload) => [
  ...new Set(
    [workload.labels, ...workload.instances.map(({ labels }) => labels)].flatMap((labels) =>
      Object.entries(labels).map(([name, value]) => `${name}=${value}`),
    ),
  ),
]);

const PARTS: readonly Part[] = Object.freeze([
  'meshConfig',
  'namespaces',
  'services',
  'workloads',
  'virtualServices',
  'destinationRules',
  'gateways',
  'gatewayApi',
  'configMaps',
  'sidecars',
  'authorizationPolicies',
  'peerAuthentications',
  'requestAuthentications',
  'rateLimits',
  'telemetries',
]);

/**
 * All that is written, by kind, and what was admitted of it. Every look-up is noted: what a check found holds as long as what it looked at is
 * the same, and it has no other way to look at anything.
 */
export class Inventory {
  readonly #snapshot: Snapshot;
  readonly #now: Date;
  readonly #written: WrittenObjects;
  #asked = new Map<Asked, unknown>();

  constructor(written: WrittenObjects, snapshot: Snapshot, now: Date) {
    this.#written = written;
    this.#snapshot = snapshot;
    this.#now = now;
  }

  /** Calls a check, and tells what it looked at. */
  watch<R>(check: (inventory: Inventory) => R): { readonly found: R; readonly on: ReadonlyMap<Asked, unknown> } {
    const on = new Map<Asked, unknown>();
    this.#asked = on;
    return { found: check(this), on };
  }

  /** Whether a check that looked at this would see the same. */
  isSame(on: ReadonlyMap<Asked, unknown>): boolean {
    for (const [asked, before] of on) if (this.#answer(asked) !== before) return false;
    return true;
  }

  #answer(asked: Asked): unknown {
    if (asked === 'now') return this.#now;
    if (!isWritten(asked)) return this.#snapshot[asked];
    const [, family, ...kind] = asked.split(' ');
    return this.#written.of(family === 'istio' || family === 'gateway-api' ? family : 'kubernetes', kind.join(' '));
  }

  #of(family: Family, kind: string): readonly Written[] {
    const found = this.#written.of(family, kind);
    this.#asked.set(`written ${family} ${kind}`, found);
    return found;
  }

  part<P extends Part>(name: P): Snapshot[P] {
    const found = this.#snapshot[name];
    this.#asked.set(name, found);
    return found;
  }

  /** For checks that may look at anything in it. */
  whole(): Snapshot {
    for (const name of PARTS) this.part(name);
    return this.#snapshot;
  }

  now(): Date {
    this.#asked.set('now', this.#now);
    return this.#now;
  }

  /** Objects of Kubernetes' own kinds. */
  kubernetes(kind: string): readonly Written[] {
    return this.#of('kubernetes', kind);
  }

  istio(kind: string): readonly Written[] {
    return this.#of('istio', kind);
  }

  gatewayApi(kind: string): readonly Written[] {
    return this.#of('gateway-api', kind);
  }

  /** Workloads that have the labels, or an instance of which has them. */
  selected(selector: Labels): readonly Workload[] {
    const all = this.part('workloads');
    let rarest: readonly Workload[] | undefined;
    for (const [name, value] of Object.entries(selector)) {
      const having = carrying(all, `${name}=${value}`);
      if (rarest === undefined || having.length < rarest.length) rarest = having;
    }
    return (rarest ?? all).filter(
      (one) => selects(selector, one.labels) || one.instances.some(({ labels }) => selects(selector, labels)),
    );
  }

  /** Namespaces of the proxies that a Gateway selects. */
  gatewayNamespaces(selector: Labels): readonly string[] {
    const own = this.selected(selector).map(({ namespace }) => namespace);
    if (own.length > 0) return [...new Set(own)];
    return isInstalledGateway(selector) ? [this.part('meshConfig').rootNamespace] : [];
  }
}

function isWritten(asked: Asked): asked is `written ${Family} ${string}` {
  return asked.startsWith('written ');
}

/** Finds written objects by `namespace/name`, of one kind. */
export const byName = indexedBy<Written>(({ namespace, name }) => [`${namespace}/${name}`]);

/** A finding about a field, with the line on which the field stands. */
export function finding(
  { key, node, file, offset }: Written,
  field: string,
  severity: Severity,
  code: string,
  message: string,
  hint: string,
): Diagnostic {
  return { file, line: lineAt(node, field) + offset, object: key, field, severity, code, message, hint };
}

export function some(names: readonly string[], most = 4): string {
  return names.length <= most ? names.join(', ') : `${names.slice(0, most).join(', ')} and ${names.length - most} more`;
}
