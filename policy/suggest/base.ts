import type { AuthorizationPolicy, Condition, Rule, Source } from '../../mesh/model/authorization-policy.ts';
import { keyOf } from '../../mesh/model/object.ts';
import { parsePort } from '../../mesh/model/port.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Destination } from '../access/world.ts';
import { type Decision, prepare } from '../evaluate/evaluate.ts';
import type { Request } from '../evaluate/request.ts';
import type { ObservedCall } from '../observed/call.ts';
import { policiesFor } from '../select.ts';
import type { Operation } from './operations.ts';

/** What today's policies say of calls like one that was seen. */
export type Today =
  | { readonly kind: 'granted' }
  /** By what records do not tell of calls: headers, tokens, addresses. */
  | { readonly kind: 'conditional' }
  /** Another ALLOW rule would change nothing. */
  | { readonly kind: 'refused'; readonly by: string }
  | { readonly kind: 'not-granted' };

const NONE: Condition<never> = Object.freeze({ values: [], notValues: [] });
const KNOWN_KEYS: ReadonlySet<string> = new Set([
  'source.principal',
  'source.namespace',
  'source.serviceAccount',
  'source.trustDomain',
  'destination.port',
]);

function knownOf(source: Source): Source {
  return { ...source, requestPrincipals: NONE, ipBlocks: NONE, remoteIpBlocks: NONE };
}

/** The rule without what records do not tell. It matches whatever the rule itself may match. */
function relaxedRule({ from, to, when }: Rule): Rule {
  return {
    from: from.map(knownOf),
    to: to.map((one) => ({ ...one, hosts: NONE })),
    when: when.filter(({ key }) => KNOWN_KEYS.has(key)),
  };
}

/** Stand for what a template leaves out: unlike each other, and like nothing that a policy would write out. */
const SOME = Object.freeze(['~0~', 'Zz-9.zz']);

function filled(path: string | undefined, some: string): string {
  if (path === undefined) return `/${some}/${some}`;
  const full = path.replaceAll('{**}', some).replaceAll('{*}', some);
  return full.endsWith('*') ? `${full.slice(0, -1)}${some}` : full;
}

function requestsFor(
  call: ObservedCall,
  { port, method, path }: Operation,
  { namespace, labels }: Destination,
): readonly Request[] {
  const tcp = call.protocol === 'TCP';
  return SOME.map((some) => ({
    source: { principal: call.principal, ip: call.address, remoteIp: call.address },
    destination: {
      namespace,
      labels,
      ip: undefined,
      port: port === undefined ? undefined : parsePort(port),
      protocol: call.protocol,
      sni: undefined,
    },
    http: {
      method: tcp ? undefined : (method ?? some),
      host: tcp ? undefined : call.service,
      path: tcp ? undefined : filled(path, some),
      headers: new Map(),
    },
    token: undefined,
  }));
}

function only(snapshot: Snapshot, policies: readonly AuthorizationPolicy[]): Snapshot {
  return { ...snapshot, authorizationPolicies: policies };
}

/** The policies that are enforced today, asked by the evaluator of `gatehouse policy check`. */
export class Base {
  /** Enforced, of ALLOW. */
  readonly #allow: Snapshot;
  readonly #relaxed: Snapshot;
  readonly #deny: Snapshot;

  constructor(snapshot: Snapshot, isBase: (policy: AuthorizationPolicy) => boolean) {
    const enforced = snapshot.authorizationPolicies.filter((policy) => !policy.dryRun && isBase(policy));
    const allow = enforced.filter(({ action }) => action === 'ALLOW');
    this.#allow = only(snapshot, allow);
    this.#relaxed = only(
      snapshot,
      allow.map((policy) => ({ ...policy, rules: policy.rules.map(relaxedRule) })),
    );
    this.#deny = only(
      snapshot,
      enforced.filter(({ action }) => action === 'DENY'),
    );
  }

  /** The ALLOW policies of a workload. None: everybody may call it, which is no grant. */
  grants(destination: Destination): readonly AuthorizationPolicy[] {
    return policiesFor(this.#allow, destination);
  }

  today(call: ObservedCall, operation: Operation, destination: Destination): Today {
    const requests = requestsFor(call, operation, destination);
    const decide = (snapshot: Snapshot): readonly Decision[] => {
      const evaluator = prepare(snapshot, destination);
      return requests.map((request) => evaluator.decide(request));
    };
    const denials = policiesFor(this.#deny, destination);
    if (denials.length > 0) {
      const [first, ...others] = decide(this.#deny);
      const by = denials.find((policy) => keyOf(policy.meta) === first?.policy);
      if (by !== undefined && others.every(({ decision }) => decision === 'DENY')) return { kind: 'refused', by: keyOf(by.meta) };
    }
    if (this.grants(destination).length === 0) return { kind: 'not-granted' };
    const granted = (snapshot: Snapshot): boolean =>
      decide(snapshot).every(({ decision, policy }) => decision === 'ALLOW' && policy !== undefined);
    if (granted(this.#allow)) return { kind: 'granted' };
    return granted(this.#relaxed) ? { kind: 'conditional' } : { kind: 'not-granted' };
  }
}
