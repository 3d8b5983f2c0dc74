import type { Diagnostic, Severity } from '../../model/diagnostic.ts';
import { type Labels, selects } from '../../model/object.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import { lineAt } from '../node-path.ts';
import type { Written } from '../written.ts';
import type { Secrets } from '../../gateway-api/status/listeners.ts';
import { secretsIn } from './secret-state.ts';

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

/** All that is written, by kind, and what was admitted of it. */
export class Inventory {
  readonly snapshot: Snapshot;
  readonly now: Date;
  readonly secrets: Secrets;
  readonly #kinds: ReadonlyMap<string, readonly Written[]>;

  constructor(written: readonly Written[], snapshot: Snapshot, now: Date) {
    this.snapshot = snapshot;
    this.now = now;
    this.secrets = secretsIn(written);
    const seen = new Set<string>();
    // Of two objects with one name the first is in effect; the other is a finding of its own.
    const first = written.filter(({ key, group }) => {
      const id = `${group} ${key}`;
      if (seen.has(id)) return false;
      seen.add(id);
      return true;
    });
    this.#kinds = Map.groupBy(first, ({ kind, group }) => `${family(group)} ${kind}`);
  }

  /** Objects of Kubernetes' own kinds. */
  kubernetes(kind: string): readonly Written[] {
    return this.#kinds.get(`kubernetes ${kind}`) ?? [];
  }

  istio(kind: string): readonly Written[] {
    return this.#kinds.get(`istio ${kind}`) ?? [];
  }

  gatewayApi(kind: string): readonly Written[] {
    return this.#kinds.get(`gateway-api ${kind}`) ?? [];
  }

  /** Namespaces of the proxies that a Gateway selects. */
  gatewayNamespaces(selector: Labels): readonly string[] {
    const own = this.snapshot.workloads
      .filter((one) => selects(selector, one.labels) || one.instances.some(({ labels }) => selects(selector, labels)))
      .map(({ namespace }) => namespace);
    if (own.length > 0) return [...new Set(own)];
    return isInstalledGateway(selector) ? [this.snapshot.meshConfig.rootNamespace] : [];
  }
}

function family(group: string): 'istio' | 'gateway-api' | 'kubernetes' {
  if (group === 'gateway.networking.k8s.io') return 'gateway-api';
  return group.endsWith('istio.io') ? 'istio' : 'kubernetes';
}

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
